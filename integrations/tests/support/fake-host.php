<?php

/**
 * `php fake-host.php RECORD [CERTIFICATE]`: steps as JSON on standard input, the port on standard output. A step:
 *   wait     seconds before anything is sent
 *   send     what is sent, in base64
 *   slowly   seconds between one byte and the next
 *   begin    how many bytes of it go at once
 *   reset    hang up by a reset
 *   forward  "host:port": hand the request on, and wait for the answer there, before anything else
 *   relay    send what came from there
 */

declare(strict_types=1);

$steps = json_decode((string) stream_get_contents(STDIN), true);
$certificate = $argv[2] ?? '';
$context = stream_context_create($certificate === '' ? [] : ['ssl' => ['local_cert' => $certificate]]);
$server = stream_socket_server('tcp://127.0.0.1:0', $code, $why, STREAM_SERVER_BIND | STREAM_SERVER_LISTEN, $context);
$name = (string) stream_socket_get_name($server, false);
echo substr($name, (int) strrpos($name, ':') + 1), "\n";

/** @param resource $client */
function whole_request($client): string
{
    $request = '';
    stream_set_timeout($client, 10);
    while (strpos($request, "\r\n\r\n") === false || strlen($request) < whole_length($request)) {
        $part = fread($client, 65536);
        if ($part === false || $part === '') {
            break;
        }
        $request .= $part;
    }
    return $request;
}

function whole_length(string $request): int
{
    $head = (int) strpos($request, "\r\n\r\n") + 4;
    return preg_match('/^content-length: *([0-9]+)/mi', substr($request, 0, $head), $found) ? $head + (int) $found[1] : $head;
}

/** @param resource $client */
function waits($client, float $seconds): bool
{
    for ($until = microtime(true) + $seconds; microtime(true) < $until;) {
        $read = [$client];
        $write = $except = null;
        // Readable and at its end: the other side has hung up.
        if (stream_select($read, $write, $except, 0, 50000) === 1 && (string) fread($client, 1) === '' && feof($client)) {
            return false;
        }
    }
    return true;
}

function forwarded(string $to, string $request): string
{
    $upstream = stream_socket_client('tcp://' . $to);
    fwrite($upstream, str_replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", $request));
    return (string) stream_get_contents($upstream);
}

while (true) {
    $client = @stream_socket_accept($server, 3600);
    if ($client === false) {
        continue;
    }
    if ($certificate !== '' && @stream_socket_enable_crypto($client, true, STREAM_CRYPTO_METHOD_TLS_SERVER) !== true) {
        // Somebody who does not trust the certificate: no step is used up.
        fclose($client);
        continue;
    }
    $request = whole_request($client);
    if ($request === '') {
        fclose($client);
        continue;
    }
    file_put_contents($argv[1], base64_encode($request) . "\n", FILE_APPEND);
    $step = array_shift($steps) ?? ['reset' => true];
    $answer = isset($step['forward']) ? forwarded($step['forward'], $request) : '';
    $answer = isset($step['relay']) ? $answer : base64_decode($step['send'] ?? '');
    if (!isset($step['wait']) || waits($client, (float) $step['wait'])) {
        $begin = substr($answer, 0, $step['begin'] ?? 0);
        $rest = substr($answer, strlen($begin));
        foreach (isset($step['slowly']) ? array_merge([$begin], str_split($rest)) : [$answer] as $part) {
            if (@fwrite($client, $part) === false || (isset($step['slowly']) && !waits($client, (float) $step['slowly']))) {
                break;
            }
        }
    }
    if (isset($step['reset'])) {
        // Not lingering, what is closed is reset.
        socket_set_option(socket_import_stream($client), SOL_SOCKET, SO_LINGER, ['l_onoff' => 1, 'l_linger' => 0]);
    }
    fclose($client);
}
