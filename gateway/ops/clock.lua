#!lua flags=no-writes
-- The clock of the server that holds KEYS[1]; in a cluster each node has its own.
return redis.call('TIME')
