<?php

// A stand-in for Amazon's SDK for PHP, which cannot be had where Composer's packages cannot: what docs/simulator/php.md
// calls of it, written by Amazon Pay's documentation ("signing requests") with the SDK's names. It exists to run that
// page, and shows nothing of how the SDK itself behaves, but that it sets port 443 as the SDK does.

namespace Amazon\Pay\API;

class Client
{
    private const ALGORITHM = 'AMZN-PAY-RSASSA-PSS-V2';

    private array $config;

    public function __construct(array $config)
    {
        if (!isset($config['override_service_url'])) {
            throw new \RuntimeException('The stand-in never calls Amazon: AMAZON_PAY_HOST is not set');
        }
        $this->config = $config;
    }

    public function createCheckoutSession(array $payload, array $headers): array
    {
        return $this->call('POST', 'checkoutSessions', $payload, $headers);
    }

    public function updateCheckoutSession(string $id, array $payload, array $headers = []): array
    {
        return $this->call('PATCH', "checkoutSessions/$id", $payload, $headers);
    }

    public function completeCheckoutSession(string $id, array $payload, array $headers = []): array
    {
        return $this->call('POST', "checkoutSessions/$id/complete", $payload, $headers);
    }

    public function getChargePermission(string $id, array $headers = []): array
    {
        return $this->call('GET', "chargePermissions/$id", null, $headers);
    }

    public function closeChargePermission(string $id, array $payload, array $headers = []): array
    {
        return $this->call('DELETE', "chargePermissions/$id/close", $payload, $headers);
    }

    public function createCharge(array $payload, array $headers): array
    {
        return $this->call('POST', 'charges', $payload, $headers);
    }

    public function captureCharge(string $id, array $payload, array $headers): array
    {
        return $this->call('POST', "charges/$id/capture", $payload, $headers);
    }

    public function createRefund(array $payload, array $headers): array
    {
        return $this->call('POST', 'refunds', $payload, $headers);
    }

    private function call(string $method, string $resource, ?array $payload, array $headers): array
    {
        $path = "/v2/$resource";
        $body = $payload === null ? '' : json_encode($payload);
        $lines = [];
        foreach ($this->signed($method, $path, $body, $headers) as $name => $value) {
            $lines[] = "$name: $value";
        }
        $handle = curl_init('https://' . $this->config['override_service_url'] . $path);
        curl_setopt($handle, CURLOPT_PORT, 443);
        curl_setopt($handle, CURLOPT_CUSTOMREQUEST, $method);
        curl_setopt($handle, CURLOPT_POSTFIELDS, $body);
        curl_setopt($handle, CURLOPT_HTTPHEADER, $lines);
        curl_setopt($handle, CURLOPT_RETURNTRANSFER, true);
        $answer = curl_exec($handle);
        if ($answer === false) {
            throw new \RuntimeException(curl_error($handle));
        }
        return ['status' => curl_getinfo($handle, CURLINFO_HTTP_CODE), 'response' => $answer];
    }

    /** The headers to send; as with the SDK, of the caller's only the idempotency key is signed. */
    private function signed(string $method, string $path, string $body, array $headers): array
    {
        $signed = array_filter([
            'accept' => 'application/json',
            'content-type' => 'application/json',
            'x-amz-pay-date' => gmdate('Ymd\THis\Z'),
            'x-amz-pay-host' => parse_url('https://' . $this->config['override_service_url'], PHP_URL_HOST),
            'x-amz-pay-idempotency-key' => $headers['x-amz-pay-idempotency-key'] ?? null,
            'x-amz-pay-region' => 'na',
        ]);
        $canonical = "$method\n$path\n\n";
        foreach ($signed as $name => $value) {
            $canonical .= "$name:$value\n";
        }
        $names = implode(';', array_keys($signed));
        $canonical .= "\n$names\n" . hash('sha256', $body);
        $signature = $this->signature(self::ALGORITHM . "\n" . hash('sha256', $canonical));
        $signed['authorization'] = self::ALGORITHM . " PublicKeyId={$this->config['public_key_id']}, "
            . "SignedHeaders=$names, Signature=$signature";
        return $signed + $headers;
    }

    /** By the program: the openssl_sign of most PHP versions knows no PSS. */
    private function signature(string $text): string
    {
        $command = ['openssl', 'dgst', '-sha256', '-sign', $this->config['private_key'],
            '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32', '-binary'];
        $process = proc_open($command, [['pipe', 'r'], ['pipe', 'w']], $pipes);
        fwrite($pipes[0], $text);
        fclose($pipes[0]);
        $signature = stream_get_contents($pipes[1]);
        if (proc_close($process) !== 0) {
            throw new \RuntimeException('openssl could not sign');
        }
        return base64_encode($signature);
    }
}
