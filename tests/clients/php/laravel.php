<?php
/* laravel.php phpredis|predis PORT TTL - Laravel's redis session driver: its
 * session store over its cache over its redis connection. */
require __DIR__ . '/line.php';
foreach (['Redis', 'Cache', 'Session'] as $part) {
    require_once "Illuminate/$part/autoload.php";
}
require_once 'Predis/autoload.php';

use Illuminate\Cache\RedisStore;
use Illuminate\Cache\Repository;
use Illuminate\Redis\RedisManager;
use Illuminate\Session\CacheBasedSessionHandler;
use Illuminate\Session\Store;

$app = null; /* Only for what is made by name. */
$config = [
    'options' => ['prefix' => 'laravel_database_'],
    'default' => ['host' => '127.0.0.1', 'port' => $port, 'database' => 1],
];
$redis = new RedisManager($app, $argv[1], $config);
$cache = new Repository(new RedisStore($redis, 'laravel_cache:'));
/* Its lifetime is in minutes; what is below one is for the test of expiry. */
$handler = new CacheBasedSessionHandler($cache, $ttl / 60);
$open = function (?string $id) use ($handler) {
    $session = new Store('laravel_session', $handler, $id);
    $session->start();
    return $session;
};

serve([
    'create' => function ($id, $value) use ($open) {
        $session = $open(null);
        $session->put('value', $value);
        $session->save();
        return $session->getId();
    },
    'read' => fn ($id) => $open($id)->get('value'),
    'touch' => function ($id) use ($open) {
        $open($id)->save();
    },
    'change' => function ($id, $value) use ($open) {
        $session = $open($id);
        $session->put('value', $value);
        $session->save();
    },
    'regenerate' => function ($id) use ($open) {
        $session = $open($id);
        $session->regenerate(true);
        $session->save();
        return $session->getId();
    },
    'destroy' => function ($id) use ($open, $handler) {
        $handler->destroy($id);
    },
]);
