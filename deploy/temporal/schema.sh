#!/bin/sh
# Creates Temporal's two databases on PostgreSQL, or brings them to the schema of this image's version.
#
# Runs before every start of the server, so it may find everything done already: each step is safe to repeat.
# temporal-sql-tool reads the connection from SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD.
set -eu

: "${SQL_HOST:?the PostgreSQL server is not named}"
: "${SQL_PORT:?the port of PostgreSQL is not named}"
: "${SQL_USER:?the PostgreSQL user is not named}"
: "${SQL_PASSWORD:?the password of the PostgreSQL user is not given}"

# Database, then the name of the schema that the tool carries in itself.
bring_up_to_date() {
    echo "database $1: creating it, or bringing its schema up to date"
    temporal-sql-tool --plugin postgres12 --database "$1" create-database
    temporal-sql-tool --plugin postgres12 --database "$1" setup-schema --version 0.0
    temporal-sql-tool --plugin postgres12 --database "$1" update-schema --schema-name "$2"
}

bring_up_to_date temporal postgresql/v12/temporal
bring_up_to_date temporal_visibility postgresql/v12/visibility
echo "the schema is up to date"
