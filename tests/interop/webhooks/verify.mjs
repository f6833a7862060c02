// Verifies each line of a file, {headers, body, secrets}, by each of the secrets, and prints what the library made of it.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

for (const line of readFileSync(process.argv[2], "utf8").trimEnd().split("\n")) {
  const { headers, body, secrets } = JSON.parse(line);
  const verified = secrets.map((secret) => {
    try {
      return { event: new Webhook(secret).verify(body, headers) };
    } catch (error) {
      return { refused: error.message };
    }
  });
  console.log(JSON.stringify(verified));
}
