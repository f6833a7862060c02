// Verifies each line of standard input, {headers, body, secrets}, by each secret, and prints what the library made of it.
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
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
