-- Who is billed by a cron job of your own, as the rows that `perennial import` takes. The table and its columns stand for
-- yours; what each column of the result means, and why its time of day is the job's, stands in docs/guides/from-cron.md.
SELECT
    charge_permission_id,
    plan                                        AS plan,
    next_charge_on || 'T03:00:00+00:00'         AS anchor,
    'Europe/Berlin'                             AS zone,
    'customer-' || id                           AS merchant_reference,
    CASE WHEN owed > 0 THEN printf('%.2f', owed / 100.0) || ' EUR' ELSE '' END AS debt
FROM subscribers
WHERE active = 1
  AND charge_permission_id <> ''
ORDER BY id;
