// A shop of one page that sells one subscription, with nothing but Node (18 or later).
//
//     SHOP_API=http://127.0.0.1:8602 SHOP_API_KEY=perennial_... SHOP_STORE_ID=amzn1... node examples/shop/shop.mjs
//
// The key needs the scopes read and act. What is kept of a visitor is kept in memory here; a shop has its own sessions.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const { SHOP_API, SHOP_API_KEY, SHOP_STORE_ID, SHOP_ADDRESS = 'http://127.0.0.1:8610' } = process.env;
const file = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const page = file('index.html');
const plan = JSON.parse(file('plan.json'));
const visitors = new Map();

/** The API's answer: its status, and what it says. */
async function ask(method, path, body, once) {
    const headers = { authorization: `Bearer ${SHOP_API_KEY}`, 'content-type': 'application/json' };
    if (once) headers['idempotency-key'] = once;
    const answer = await fetch(`${SHOP_API}${path}`, { method, headers, body: body && JSON.stringify(body) });
    return [answer.status, await answer.json()];
}

/** What Amazon's script needs to draw the button of the plan. */
async function button(visitor) {
    visitor.order = `order-${randomBytes(4).toString('hex')}`;
    const [status, made] = await ask('POST', '/v1/checkout/button', {
        plan,
        merchant_reference: visitor.order,
        store_id: SHOP_STORE_ID,
        result_return_url: `${SHOP_ADDRESS}/thanks`,
    });
    visitor.amount = made.checkout_amount;
    return [status, made];
}

/** The buyer comes back from Amazon: the subscription is started, once, however often the page is loaded. */
async function start(visitor, session) {
    const [status, begun] = await ask('POST', '/v1/subscriptions', {
        plan,
        merchant_reference: visitor.order ?? '',
        checkout_session_id: session,
        checkout_amount: visitor.amount,
    }, session);
    if (status === 201) visitor.subscription = begun.charge_permission_id;
    return [status, begun];
}

/** How the visitor's subscription stands, and where the card is changed. */
async function subscription({ subscription: id }) {
    if (!id) return [200, { subscription: null }];
    const [status, view] = await ask('GET', `/v1/subscriptions/${id}`);
    if (status !== 200) return [status, view];
    const [found, method] = await ask('GET', `/v1/subscriptions/${id}/payment-method`);
    return [found, { subscription: { status: view.status, periods_paid: view.periods_paid, payment_method: method } }];
}

/** Who asks, by a cookie that no script can read. */
function visitorOf(request, response) {
    let name = /(?:^|; )visitor=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];
    if (!visitors.has(name)) {
        name = randomBytes(24).toString('base64url');
        visitors.set(name, {});
        response.setHeader('set-cookie', `visitor=${name}; HttpOnly; SameSite=Lax; Path=/`);
    }
    return visitors.get(name);
}

async function serve(request, response) {
    const url = new URL(request.url, SHOP_ADDRESS);
    const visitor = visitorOf(request, response);
    const answer = ([status, content]) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
    switch (url.pathname) {
        case '/':
            return response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
        case '/button':
            return answer(await button(visitor));
        case '/subscription':
            return answer(await subscription(visitor));
        case '/thanks': {
            const found = await start(visitor, url.searchParams.get('amazonCheckoutSessionId') ?? '');
            if (found[0] === 201 || found[0] === 409) {
                return response.writeHead(303, { location: found[0] === 201 ? '/' : '/?canceled' }).end();
            }
            return answer(found); // nobody answered in time: the page may be loaded again
        }
        default:
            return response.writeHead(404).end();
    }
}

const server = createServer((request, response) => serve(request, response).catch((error) => {
    console.error(error.message);
    response.writeHead(503).end();
}));
server.listen(new URL(SHOP_ADDRESS).port || 8610, new URL(SHOP_ADDRESS).hostname, () => {
    console.log(`The shop is at ${SHOP_ADDRESS}`);
});
