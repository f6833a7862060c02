// Stands in for Amazon's checkout.js on a merchant's page: the same calls of amazon.Pay, and a press of the button posts
// to the simulator what Amazon's script would hand on to Amazon. Wallet widgets and button designs are not simulated.

(() => {
    const { origin } = new URL(document.currentScript.src);

    /** The id of a session that the merchant's server creates when the button is pressed. */
    async function createdSession({ url, method = 'POST', extractAmazonCheckoutSessionId = 'checkoutSessionId' }) {
        const answer = await fetch(url, { method });
        return (await answer.json())[extractAmazonCheckoutSessionId];
    }

    async function press({
        createCheckoutSession, createCheckoutSessionConfig, signInConfig, productType, publicKeyId,
    }) {
        const fields = createCheckoutSession
            ? { checkoutSessionId: await createdSession(createCheckoutSession) }
            : { publicKeyId, ...(signInConfig ?? createCheckoutSessionConfig) };
        if (productType !== 'SignIn') fields.productType = productType;
        const form = document.createElement('form');
        form.method = 'post';
        form.action = `${origin}/checkout`;
        for (const [name, value] of Object.entries(fields)) {
            if (value === undefined) continue;
            const input = document.createElement('input');
            Object.assign(input, { type: 'hidden', name, value });
            form.append(input);
        }
        document.body.append(form);
        form.submit();
    }

    function renderButton(selector, settings) {
        let pressed = () => press(settings);
        const button = document.createElement('button');
        Object.assign(button, { type: 'button', textContent: 'Amazon Pay (simulated)' });
        button.addEventListener('click', () => pressed());
        document.querySelector(selector).append(button);
        return {
            onClick(handler) { pressed = handler; },
            initCheckout(more) { return press({ ...settings, ...more }); },
            updateButtonInfo() {},
        };
    }

    window.amazon = { Pay: { renderButton, initCheckout: press } };
})();
