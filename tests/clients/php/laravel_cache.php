<?php
/* laravel_cache.php phpredis|predis PORT... - Laravel's cache, locks and rate
 * limits, whose scripts are Laravel's own: what is begun at one node goes on at
 * the next. */
foreach (['Redis', 'Cache'] as $part) {
    require_once "Illuminate/$part/autoload.php";
}
require_once 'Predis/autoload.php';

use Illuminate\Cache\RedisStore;
use Illuminate\Cache\Repository;
use Illuminate\Redis\RedisManager;

function expect($got, $wanted, string $what): void
{
    if ($got !== $wanted) {
        $got = var_export($got, true);
        fwrite(STDERR, "$what: $got, not " . var_export($wanted, true) . "\n");
        exit(1);
    }
}

$app = null; /* Only for what is made by name. */
$caches = $connections = [];
foreach (array_slice($argv, 2) as $port) {
    $redis = new RedisManager($app, $argv[1], [
        'options' => ['prefix' => "$argv[1]:"],
        'default' => ['host' => '127.0.0.1', 'port' => $port, 'database' => 1],
    ]);
    $caches[] = new Repository(new RedisStore($redis, 'laravel_cache:'));
    $connections[] = $redis->connection();
}
[$one, $two, $three] = $caches;

expect($one->add('added', 'first', 100), true, 'add of what is not there');
expect($two->add('added', 'second', 100), false, 'add of what is there');
expect($three->get('added'), 'first', 'what was added');

expect($one->putMany(['a' => 1, 'b' => 2, 'c' => 'x'], 100), true, 'putMany');
expect($two->many(['c', 'none', 'b', 'a']),
    ['c' => 'x', 'none' => null, 'b' => '2', 'a' => '1'], 'many');
expect($three->increment('a', 5), 6, 'increment');
expect($one->decrement('a'), 5, 'decrement');
expect($two->pull('c'), 'x', 'pull');
expect($three->get('c'), null, 'what was pulled');

$lock = $one->lock('job', 100);
expect($lock->get(), true, 'the lock');
expect($two->lock('job', 100)->get(), false, 'the lock again');
expect($three->restoreLock('job', 'somebody')->release(), false, 'not its own');
expect($two->restoreLock('job', $lock->owner())->release(), true, 'release');
$forever = $three->lock('job');
expect($forever->get(), true, 'a lock without an end');
expect($one->lock('job')->get(), false, 'the lock without an end again');
$two->lock('job')->forceRelease();
expect($forever->release(), false, 'what was released by force');

$tagged = fn ($cache) => $cache->tags(['people', 'artists']);
$tagged($one)->put('name', 'Anne', 100);
expect($tagged($two)->get('name'), 'Anne', 'tagged');
$three->tags('artists')->flush();
expect($tagged($one)->get('name'), null, 'tagged, and flushed');

/* Places of a funnel are keys of one script: a {tag} puts them together. */
$seen = [];
$enter = function (int $at) use (&$enter, &$seen, $connections) {
    $connections[$at]->funnel('{mails}')->limit(2)->releaseAfter(100)->block(0)
        ->then(function () use (&$enter, &$seen, $at) {
            $seen[] = "in at $at";
            $enter(($at + 1) % 3);
        }, function () use (&$seen, $at) {
            $seen[] = "full at $at";
        });
};
foreach ([0, 1] as $at) {
    $enter($at);
}
expect($seen, ['in at 0', 'in at 1', 'full at 2',
    'in at 1', 'in at 2', 'full at 0'], 'a funnel for two');

$allowed = 0;
for ($i = 0; $i < 7; $i++) {
    $connections[$i % 3]->throttle('calls')->allow(4)->every(600)->block(0)
        ->then(function () use (&$allowed) { $allowed++; }, fn () => null);
}
expect($allowed, 4, 'a throttle');
