<?php
// Answers each body on standard input (its length in 4 bytes, big-endian, then the body) with one
// line of JSON: the warnings, and the form. A value is its bytes in hexadecimal, an array a list of
// pairs of such a key and a value or an array, for JSON's strings could not carry PHP's.

$warnings = [];
set_error_handler(function (int $level, string $message) use (&$warnings): bool {
    $warnings[] = $message;
    return true;
});

function plain(array|string $node): array|string
{
    if (is_string($node)) {
        return bin2hex($node);
    }
    $pairs = [];
    foreach ($node as $key => $child) {
        $pairs[] = [bin2hex((string) $key), plain($child)];
    }
    return $pairs;
}

fwrite(STDOUT, PHP_VERSION . "\n");
while (($header = fread(STDIN, 4)) !== false && strlen($header) === 4) {
    $length = unpack('N', $header)[1];
    $body = $length > 0 ? stream_get_contents(STDIN, $length) : '';
    $warnings = [];
    parse_str($body, $form);
    fwrite(STDOUT, json_encode(['warnings' => $warnings, 'form' => plain($form)]) . "\n");
}
