<?php
// A shop of one page that sells one subscription, with nothing but PHP.
//
//     SHOP_API=http://127.0.0.1:8602 SHOP_API_KEY=perennial_... SHOP_STORE_ID=amzn1... \
//         php -S 127.0.0.1:8610 examples/shop/shop.php
//
// The key needs the scopes read and act. What is kept of a visitor is kept in PHP's own session.

session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Lax']);

/** The API's answer: its status, and what it says. */
function ask(string $method, string $path, ?array $body = null, ?string $once = null): array
{
    $headers = ['Authorization: Bearer ' . getenv('SHOP_API_KEY'), 'Content-Type: application/json'];
    if ($once !== null) {
        $headers[] = "Idempotency-Key: $once";
    }
    $options = ['method' => $method, 'header' => $headers, 'ignore_errors' => true, 'timeout' => 60];
    if ($body !== null) {
        $options['content'] = json_encode($body);
    }
    $answer = @file_get_contents(getenv('SHOP_API') . $path, false, stream_context_create(['http' => $options]));
    $status = (int) explode(' ', $http_response_header[0] ?? '- 503')[1];
    return [$status, json_decode($answer ?: '{}', true)];
}

function plan(): array
{
    return json_decode(file_get_contents(__DIR__ . '/plan.json'), true);
}

/** What Amazon's script needs to draw the button of the plan. */
function button(): array
{
    $_SESSION['order'] = 'order-' . bin2hex(random_bytes(4));
    [$status, $made] = ask('POST', '/v1/checkout/button', [
        'plan' => plan(),
        'merchant_reference' => $_SESSION['order'],
        'store_id' => getenv('SHOP_STORE_ID'),
        'result_return_url' => (getenv('SHOP_ADDRESS') ?: 'http://127.0.0.1:8610') . '/thanks',
    ]);
    $_SESSION['amount'] = $made['checkout_amount'] ?? null;
    return [$status, $made];
}

/** The buyer comes back from Amazon: the subscription is started, once, however often the page is loaded. */
function start(string $session): array
{
    [$status, $begun] = ask('POST', '/v1/subscriptions', [
        'plan' => plan(),
        'merchant_reference' => $_SESSION['order'] ?? '',
        'checkout_session_id' => $session,
        'checkout_amount' => $_SESSION['amount'] ?? null,
    ], $session);
    if ($status === 201) {
        $_SESSION['subscription'] = $begun['charge_permission_id'];
    }
    return [$status, $begun];
}

/** How the visitor's subscription stands, and where the card is changed. */
function subscription(): array
{
    $id = $_SESSION['subscription'] ?? null;
    if ($id === null) {
        return [200, ['subscription' => null]];
    }
    [$status, $view] = ask('GET', "/v1/subscriptions/$id");
    if ($status !== 200) {
        return [$status, $view];
    }
    [$status, $method] = ask('GET', "/v1/subscriptions/$id/payment-method");
    return [$status, ['subscription' => [
        'status' => $view['status'],
        'periods_paid' => $view['periods_paid'],
        'payment_method' => $method,
    ]]];
}

function answer(array $found): void
{
    [$status, $content] = $found;
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode($content);
}

switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/':
        readfile(__DIR__ . '/index.html');
        break;
    case '/button':
        answer(button());
        break;
    case '/subscription':
        answer(subscription());
        break;
    case '/thanks':
        $found = start($_GET['amazonCheckoutSessionId'] ?? '');
        if ($found[0] === 201 || $found[0] === 409) {
            header('Location: ' . ($found[0] === 201 ? '/' : '/?canceled'), true, 303);
        } else {
            answer($found); // nobody answered in time: the page may be loaded again
        }
        break;
    default:
        http_response_code(404);
}
