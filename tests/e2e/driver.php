<?php
/* driver.php PORT... - As driver.py, with RedisCluster of phpredis. A request
 * that was under way when its node died is an error; then it connects anew, as
 * the next page would. */
function connect_to($ports)
{
    return new RedisCluster(null, array_map(function ($port) {
        return "127.0.0.1:$port";
    }, $ports), 5, 5);
}

$ports = array_slice($argv, 1);
$client = connect_to($ports);
$maybe = $errors = $wrong = [];
$done = $number = $longest = $last = 0;
echo "ready\n";
stream_set_blocking(STDIN, false);
while (true) {
    fgets(STDIN);
    if (feof(STDIN)) {
        break;
    }
    $number++;
    $key = 'k' . ($number % 300);
    $began = microtime(true);
    try {
        $seen = (int)$client->get($key);
        if (!in_array($seen, $maybe[$key] ?? [0])) {
            $wrong[] = "$key: $seen";
        }
        $maybe[$key] = array_merge($maybe[$key] ?? [0], [$number]);
        if ($client->setex($key, 1000, $number) !== true) {
            throw new RedisClusterException('SETEX was false');
        }
        $maybe[$key] = [$number];
        $done++;
    } catch (RedisClusterException $error) {
        $text = $error->getMessage();
        $errors[$text] = ($errors[$text] ?? 0) + 1;
        usleep(20000);
        try {
            $client = connect_to($ports);
        } catch (RedisClusterException $ignored) {
        }
    }
    $last = microtime(true) - $began;
    $longest = max($longest, $last);
}
foreach ($maybe as $key => $values) {
    $seen = (int)$client->get($key);
    if (!in_array($seen, $values)) {
        $wrong[] = "$key: $seen at the end";
    }
}
echo json_encode(['done' => $done, 'errors' => (object)$errors,
    'wrong' => $wrong, 'longest' => $longest, 'last' => $last]), "\n";
