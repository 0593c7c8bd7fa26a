<?php
/* symfony.php phpredis|predis PORT TTL - Symfony's RedisSessionHandler under
 * PHP's sessions, with either driver. */
require __DIR__ . '/line.php';
require 'Symfony/Component/HttpFoundation/autoload.php';

use Symfony\Component\HttpFoundation\Session\Storage\Handler;

if ($argv[1] === 'predis') {
    require 'Predis/autoload.php';
    $client = new Predis\Client("tcp://127.0.0.1:$port");
} else {
    $client = new Redis();
    $client->connect('127.0.0.1', $port, 5);
}
$handler = new Handler\RedisSessionHandler($client, ['ttl' => $ttl]);
$new = fn () => bin2hex(random_bytes(16));

/* The calls that PHP makes of a handler, in the order of a request. */
function read($handler, string $id)
{
    $handler->open('', 'PHPSESSID');
    $data = $handler->read($id);
    return $data === '' ? null : json_decode($data, true);
}

serve([
    'create' => function ($id, $value) use ($handler, $new) {
        $id = $new();
        read($handler, $id);
        if (!$handler->write($id, json_encode($value)) || !$handler->close()) {
            throw new RuntimeException('not written');
        }
        return $id;
    },
    'read' => fn ($id) => read($handler, $id),
    'touch' => function ($id) use ($handler) {
        $value = read($handler, $id);
        if (!$handler->updateTimestamp($id, json_encode($value))) {
            throw new RuntimeException('not touched');
        }
    },
    'change' => function ($id, $value) use ($handler) {
        read($handler, $id);
        if (!$handler->write($id, json_encode($value))) {
            throw new RuntimeException('not written');
        }
    },
    'regenerate' => function ($id) use ($handler, $new) {
        $value = read($handler, $id);
        if (!$handler->destroy($id)) {
            throw new RuntimeException('not destroyed');
        }
        $fresh = $new();
        read($handler, $fresh);
        if (!$handler->write($fresh, json_encode($value))) {
            throw new RuntimeException('not written');
        }
        return $fresh;
    },
    'destroy' => function ($id) use ($handler) {
        if (!$handler->destroy($id)) {
            throw new RuntimeException('not destroyed');
        }
    },
]);
