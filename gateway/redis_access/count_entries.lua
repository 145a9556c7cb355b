#!lua flags=no-writes
-- Count the entries of KEYS[1] from ARGV[1] to ARGV[2], up to ARGV[3]. Returns {count, last id}.
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
return {#entries, #entries > 0 and entries[#entries][1] or ''}
