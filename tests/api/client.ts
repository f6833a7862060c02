// A shop's program, over a client that is generated from the API's own description: what it sends and reads is checked
// by the compiler.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const [origin, token, permission] = process.argv.slice(2) as [string, string, string];
const api = createClient<paths>({ baseUrl: origin, headers: { Authorization: `Bearer ${token}` } });
const once = (name: string) => ({ "Idempotency-Key": `${permission}-${name}` });
const said: Record<string, unknown> = {};

type Money = components["schemas"]["Money"];
const price: Money = { amount: "6.70", currency: "USD" };

const began = await api.POST("/v1/subscriptions", {
    params: { header: once("start") },
    body: {
        charge_permission_id: permission,
        plan: { plan_id: "rolls-weekly", phases: [{ amount: price, interval: { unit: "week", count: 1 } }] },
        merchant_reference: "order-ts-1",
    },
});
if (began.error) throw new Error(began.error.detail);
said.workflow = began.data.workflow_id;

const again = await api.POST("/v1/subscriptions/{charge_permission_id}/skip", {
    params: { path: { charge_permission_id: permission }, header: once("skip") },
    body: { because: "on holiday" },
});
said.skip = again.data?.effective_at ?? again.error?.type;

const refused = await api.POST("/v1/subscriptions/{charge_permission_id}/refunds", {
    params: { path: { charge_permission_id: permission }, header: once("refund") },
    body: { period: 900 },
});
said.refused = refused.error?.errors?.map((each) => each.field);

const view = await api.GET("/v1/subscriptions/{charge_permission_id}", {
    params: { path: { charge_permission_id: permission } },
});
said.status = view.data?.status;
said.skips = view.data?.skips;

console.log(JSON.stringify(said));
