<?php
/**
 * Writes a body for each tree of gateway/sandbox/event_trees, as a portal's PHP writes it:
 *
 *     php tests/wire/catalogue/make.php [directory]
 *
 * A tree is what the portal has under `data`: "@tokens" stands for those of a bot, by its user's id.
 * Its name is that of the event as the table of event types spells it; what follows an @ tells
 * several bodies of one event apart. Everything else of a body depends on the event alone.
 */

const TS = 1795860000;
// What a user of an application sees: https://apidocs.bitrix24.com/api-reference/events/index.html
const AUTH = [
    'access_token' => 'fake0access0token0of0the0user',
    'expires' => TS + 3600,
    'expires_in' => 3600,
    'scope' => 'crm,task,imbot,telephony,user',
    'domain' => 'acme.bitrix24.com',
    'server_endpoint' => 'https://oauth.bitrix.info/rest/',
    'status' => 'L',
    'client_endpoint' => 'https://acme.bitrix24.com/rest/',
    'member_id' => '010b6886ebc205e43ae65000ee00addb',
    'user_id' => 7,
    'refresh_token' => 'fake0refresh0token0of0the0user',
    'application_token' => 'fake0application0token',
];
const OF_A_BOT = [
    'access_token' => 'fake0access0token0of0the0bot',
    'refresh_token' => 'fake0refresh0token0of0the0bot',
    'client_id' => 'local.65f1c2d3e4b5a6.12345678',
] + AUTH;
const OF_NOBODY = ['domain', 'server_endpoint', 'client_endpoint', 'member_id', 'application_token'];
const WITHOUT_TOKENS = '/^(onAppUninstall|onAppMethodConfirm)$/';
const WITH_REFRESH_TOKEN = '/^(onApp(Install|Update|Test)|onSubscription|OnCalendar|onImCommand|onImBot(?!(V2)?(JoinChat|Delete)$))/';

function auth_of(string $event): array
{
    if (preg_match(WITHOUT_TOKENS, $event)) {
        return array_intersect_key(AUTH, array_flip(OF_NOBODY));
    }
    return preg_match(WITH_REFRESH_TOKEN, $event) ? AUTH : array_diff_key(AUTH, ['refresh_token' => '']);
}

/** Puts the tokens of a bot in the place of "@tokens": its user's id. */
function with_tokens(mixed $tree): mixed
{
    if (!is_array($tree)) {
        return $tree;
    }
    $whole = [];
    foreach ($tree as $key => $value) {
        if ($key === '@tokens') {
            $whole += ['user_id' => $value] + OF_A_BOT;
        } else {
            $whole[$key] = with_tokens($value);
        }
    }
    return $whole;
}

function name_sent(string $event, string $variant, mixed $data): string
{
    $suffix = $variant === 'of-its-type' ? "_{$data['FIELDS']['ENTITY_TYPE_ID']}" : '';
    return strtoupper($event . $suffix);
}

$directory = $argv[1] ?? __DIR__ . '/bodies';
foreach (glob(__DIR__ . '/../../../gateway/sandbox/event_trees/*.json') as $file) {
    foreach (json_decode(file_get_contents($file), true, flags: JSON_THROW_ON_ERROR) as $name => $data) {
        [$event, $variant] = [...explode('@', $name), ''];
        $body = http_build_query([
            'event' => name_sent($event, $variant, $data),
            'event_handler_id' => 1 + crc32($name) % 9999,
            'data' => with_tokens($data),
            'ts' => TS,
            'auth' => auth_of($event),
        ]);
        file_put_contents("$directory/$name.form", $body);
    }
}
