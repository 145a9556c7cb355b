<?php
/**
 * Has bitrix24/b24phpsdk, Bitrix24's own SDK, read each body of bodies/:
 *
 *     php tests/wire/catalogue/official_php_sdk.php path/to/vendor/autoload.php
 *
 * It has to take each for the event that it is, believe its token, and read all that it knows of its
 * data and of its tokens; and each event that it has a class for has to be here. Ends with 1 if
 * something of that fails.
 */

use Bitrix24\SDK\Application\Requests\Events\EventAuthItem;
use Bitrix24\SDK\Core\Contracts\Events\EventInterface;
use Bitrix24\SDK\Core\Requests\Events\UnsupportedRemoteEvent;
use Bitrix24\SDK\Core\Result\AbstractItem;
use Bitrix24\SDK\Services\RemoteEventsFactory;
use Psr\Log\NullLogger;
use Symfony\Component\HttpFoundation\Request;

const MEMBER_ID = '010b6886ebc205e43ae65000ee00addb';
const TOKEN = 'fake0application0token';

require $argv[1] ?? exit("usage: php official_php_sdk.php path/to/vendor/autoload.php\n");
set_error_handler(
    fn(int $level, string $text, string $file, int $line) => throw new ErrorException($text, 0, $level, $file, $line),
    E_ALL & ~E_DEPRECATED,
);

/** The SDK's class for each event that it has one for, by the name that is sent. */
function classes(): array
{
    $source = dirname((new ReflectionClass(RemoteEventsFactory::class))->getFileName(), 2);
    $classes = [];
    foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator($source)) as $file) {
        if (preg_match('#^On\w+\.php$#', $file->getFilename())) {
            $class = 'Bitrix24\\SDK' . strtr(substr($file->getPathname(), strlen($source), -4), '/', '\\');
            if (defined("$class::CODE")) {
                $classes[$class::CODE] = $class;
            }
        }
    }
    return $classes;
}

function request(string $body): Request
{
    parse_str($body, $form);
    return new Request([], $form, [], [], [], ['REQUEST_METHOD' => 'POST'], $body);
}

/** What the SDK makes of `data`; null of an event for which it has nothing. */
function payload(EventInterface $event): ?AbstractItem
{
    foreach (['getPayload', 'getApplicationData'] as $method) {
        if (method_exists($event, $method)) {
            return $event->$method();
        }
    }
    $class = $event::class . 'EventPayload';
    return class_exists($class) ? new $class($event->getEventPayload()['data']) : null;
}

/** Reads each property that an item says it has, where the form has it; returns how many. */
function properties_read(AbstractItem $item): int
{
    preg_match_all('/@property-read\s[^$]*\$(\w+)/', (new ReflectionClass($item))->getDocComment() ?: '', $found);
    $present = array_filter($found[1], fn(string $name) => isset($item->$name) || $name === 'authToken' && isset($item->refresh_token));
    array_map(fn(string $name) => $item->$name, $present);
    return count($present);
}

$factory = RemoteEventsFactory::init(new NullLogger());
$classes = classes();
$missing = $classes;
$faults = [];
$counts = ['typed' => 0, 'untyped' => 0, 'properties' => 0];
foreach (glob(__DIR__ . '/bodies/*.form') as $path) {
    $name = basename($path, '.form');
    $request = request(file_get_contents($path));
    $code = $request->request->get('event');
    try {
        $event = $factory->create($request);
        if ($event instanceof UnsupportedRemoteEvent && isset($classes[$code])) {
            $event = new $classes[$code]($request);  // the SDK's factory does not know all of its classes
        }
        $auth = $event->getAuth();
        if ([$auth->member_id, $auth->application_token] !== [MEMBER_ID, TOKEN]) {
            throw new UnexpectedValueException('another portal, or another token');
        }
        $counts['properties'] += properties_read($auth);
        if (isset($classes[$code]) && !$event instanceof $classes[$code]) {
            throw new UnexpectedValueException('taken for ' . $event::class);
        }
        $payload = isset($classes[$code]) ? payload($event) : null;
        $counts[$payload ? 'typed' : 'untyped']++;
        $counts['properties'] += $payload ? properties_read($payload) : 0;
    } catch (Throwable $fault) {
        $faults[] = "$name: " . $fault::class . ": {$fault->getMessage()}";
    }
    unset($missing[$code]);
}
foreach (array_keys($missing) as $code) {
    $faults[] = "$code: no body, and the SDK knows it";
}
echo implode('', array_map(fn(string $fault) => "$fault\n", $faults));
printf("%d read by classes of their own, %d as events in general, %d properties, %d faults\n", ...[...array_values($counts), count($faults)]);
exit($faults ? 1 : 0);
