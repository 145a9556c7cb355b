<?php
// Takes pushed events as somebody's PHP does: checks the signature as Standard Webhooks says it, and
// notes each event before it answers. While there is a file `hold`, it does not answer.
$directory = getenv('RECEIVER_DIRECTORY');
$key = base64_decode(substr(getenv('RECEIVER_SECRET'), strlen('whsec_')));
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$sent_at = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
$body = file_get_contents('php://input');
$signature = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$sent_at.$body", $key, true));
$is_signed = abs(time() - (int) $sent_at) < 300;
$is_signed = $is_signed && in_array($signature, explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? ''), true);
file_put_contents("$directory/" . ($is_signed ? 'taken' : 'refused'), "$body\n", FILE_APPEND);
while (file_exists("$directory/hold")) {
    clearstatcache();
    usleep(10000);
}
http_response_code($is_signed ? 204 : 401);
