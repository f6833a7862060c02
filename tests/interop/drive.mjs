// A merchant's recurring integration, written with Amazon's SDK for Node only: it may not know anything of ours but
// where the simulator is. One JSON line is printed for each call: its step, the status and the body of the answer.
//
// Usage: node drive.mjs '{"serviceUrl": "127.0.0.1:8600", "publicKeyId": "...", "privateKeyPath": "...", ...}'
// where `algorithm` may be left out, for the SDK's default, and `sandbox` is for key ids without an environment.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';

import sdk from '@amazonpay/amazon-pay-api-sdk-nodejs';

const { serviceUrl, publicKeyId, privateKeyPath, algorithm, sandbox } = JSON.parse(process.argv[2]);

function clientWith(privateKey) {
    return new sdk.WebStoreClient({
        publicKeyId,
        privateKey,
        region: 'us',
        overrideServiceUrl: serviceUrl,
        ...(algorithm === undefined ? {} : { algorithm }),
        ...(sandbox === undefined ? {} : { sandbox }),
    });
}

const client = clientWith(readFileSync(privateKeyPath, 'utf8'));

function print(line) {
    console.log(JSON.stringify(line));
}

/** Prints and gives what was answered. The SDK rejects with axios's error for an error answer; without one it ends us. */
async function answer(step, call) {
    let response;
    try {
        response = await call;
    } catch (error) {
        if (error.response === undefined) throw error;
        response = error.response;
    }
    print({ step, status: response.status, body: response.data });
    return response.data;
}

const usd = (amount) => ({ amount, currencyCode: 'USD' });
const withKey = (key = randomUUID().replaceAll('-', '')) => ({ 'x-amz-pay-idempotency-key': key });

/** The one thing here that is not the merchant's: the buyer, whom only the simulator's control API can play. */
async function buyer(does, checkoutSessionId) {
    const done = await fetch(`https://${serviceUrl}/simulator/checkout-sessions/${checkoutSessionId}/${does}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ card: '1111' }),
    });
    if (!done.ok) throw new Error(`The buyer could not ${does}: ${done.status} ${await done.text()}`);
}

const buyerSignsIn = (checkoutSessionId) => buyer('sign-in', checkoutSessionId);
const buyerApproves = (checkoutSessionId) => buyer('approve', checkoutSessionId);

const recurringSession = {
    webCheckoutDetails: { checkoutReviewReturnUrl: 'https://shop.example/review' },
    storeId: 'amzn1.application-oa2-client.0123456789abcdef',
    scopes: ['name', 'email'],
    chargePermissionType: 'Recurring',
    recurringMetadata: { frequency: { unit: 'Month', value: '1' }, amount: usd('14.00') },
};

// The button on the merchant's page.

const payloadJSON = JSON.stringify(recurringSession);
print({ step: 'sign button', payload: payloadJSON, signature: client.generateButtonSignature(payloadJSON) });

/** Presses the button that a merchant's page renders by Amazon's script, whose place the simulator's takes. The page is
 * one with nothing on it but what the script asks of it. */
async function press(settings) {
    const script = await fetch(`https://${serviceUrl}/checkout.js`);
    let click;
    let submitted;
    const element = () => ({
        fields: {},
        append(child) { this.fields[child.name] = child.value; },
        addEventListener(_event, listener) { click = listener; },
        submit() { submitted = this; },
    });
    const document = {
        currentScript: { src: script.url }, createElement: element, querySelector: element, body: element(),
    };
    const page = { document, URL, window: {} };
    runInNewContext(await script.text(), page);
    page.window.amazon.Pay.renderButton('#AmazonPayButton', settings);
    await click();
    const answered = await fetch(submitted.action, {
        method: submitted.method, body: new URLSearchParams(submitted.fields), redirect: 'manual',
    });
    const location = answered.headers.get('location');
    print({ step: 'press button', status: answered.status, body: { location, text: await answered.text() } });
    return location.split('/').at(-1);
}

// The checkout, with a first payment.

const session = await answer('create session', client.createCheckoutSession(recurringSession, withKey()));
const sessionId = session.checkoutSessionId;
await answer('get session', client.getCheckoutSession(sessionId));
await buyerSignsIn(sessionId);
await answer('update session', client.updateCheckoutSession(sessionId, {
    webCheckoutDetails: { checkoutResultReturnUrl: 'https://shop.example/result' },
    paymentDetails: { paymentIntent: 'AuthorizeWithCapture', chargeAmount: usd('14.00') },
    merchantMetadata: { merchantReferenceId: 'order-1', merchantStoreName: 'Shop', noteToBuyer: 'Grüße, 14 €' },
}));
await buyerApproves(sessionId);
const completed = await answer(
    'complete session', client.completeCheckoutSession(sessionId, { chargeAmount: usd('14.00') }));
const permissionId = completed.chargePermissionId;

// The button is pressed by another buyer. (Only once the SDK has called somebody does `fetch` here trust a certificate
// of the simulator's own, too: the SDK switches the check off for the whole process where its address is another one.)

const pressedSessionId = await press({
    merchantId: 'A1MERCHANT',
    ledgerCurrency: 'USD',
    sandbox: true,
    productType: 'PayOnly',
    placement: 'Cart',
    createCheckoutSessionConfig: {
        payloadJSON, signature: client.generateButtonSignature(payloadJSON), publicKeyId, algorithm,
    },
});
await answer('get pressed session', client.getCheckoutSession(pressedSessionId));

// The charge permission.

await answer('get permission', client.getChargePermission(permissionId));
await answer('update permission', client.updateChargePermission(permissionId, {
    merchantMetadata: { merchantReferenceId: 'subscription-1' },
}));

// The periods that follow.

const chargeOf = (amount, captureNow) => (
    { chargePermissionId: permissionId, chargeAmount: usd(amount), captureNow });

const period2 = withKey();
const charge = await answer('charge', client.createCharge(chargeOf('9.99', true), period2));
await answer('charge again', client.createCharge(chargeOf('9.99', true), period2));
await answer('charge another amount again', client.createCharge(chargeOf('10.99', true), period2));
await answer('get charge', client.getCharge(charge.chargeId));

const authorized = await answer('authorize', client.createCharge(chargeOf('20.00', false), withKey()));
await answer('capture', client.captureCharge(authorized.chargeId, { captureAmount: usd('20.00') }, withKey()));

const unwanted = await answer('authorize another', client.createCharge(chargeOf('30.00', false), withKey()));
await answer('cancel', client.cancelCharge(unwanted.chargeId, { cancellationReason: 'Out of stock' }));

await answer('charge a weak card', client.createCharge(
    chargeOf('5.00', true), { ...withKey(), 'x-amz-pay-simulation-code': 'SoftDeclined' }));

const refund = await answer(
    'refund', client.createRefund({ chargeId: charge.chargeId, refundAmount: usd('4.99') }, withKey()));
await answer('get refund', client.getRefund(refund.refundId));

// Somebody else's key under our key id.

const { privateKey: forged } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
});
await answer('forge', clientWith(forged).createCharge(chargeOf('1.00', true), withKey()));

// The end of the agreement.

await answer('get permission at the end', client.getChargePermission(permissionId));
await answer('close permission', client.closeChargePermission(permissionId, {
    closureReason: 'The subscription ended', cancelPendingCharges: false,
}));
await answer('charge a closed permission', client.createCharge(chargeOf('9.99', true), withKey()));

// Another buyer, who begins with a free trial.

const trial = await answer('create trial session', client.createCheckoutSession({
    ...recurringSession,
    webCheckoutDetails: {
        ...recurringSession.webCheckoutDetails, checkoutResultReturnUrl: 'https://shop.example/result',
    },
    paymentDetails: { paymentIntent: 'Confirm', chargeAmount: usd('14.00') },
}, withKey()));
await buyerApproves(trial.checkoutSessionId);
await answer('complete trial session', client.completeCheckoutSession(
    trial.checkoutSessionId, { chargeAmount: usd('14.00') }));
