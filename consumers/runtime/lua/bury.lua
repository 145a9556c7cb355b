#!lua flags=allow-oom
-- Move the entry ARGV[3] of the stream KEYS[2] to the dead letters KEYS[3] of the group ARGV[2],
-- if the lease KEYS[1] still has the epoch ARGV[1]. ARGV[4] is about how many dead letters are
-- kept, ARGV[5] is `delete` for an entry that only this group has, ARGV[6] the field of the hash KEYS[4]
-- in which its failed attempts were noted, or empty; the dead letter's fields follow. KEYS[5] is the
-- group's balance, which counts what is of the stream that all groups share.
-- Returns 1, 0 if it was moved before, -1 if another process owns the partition. Idempotent: an
-- entry that is no longer pending is looked for among the last dead letters, since it may also be
-- missing because the group was deleted.
-- Allowed when memory is short, as all of this must be: consumers have to drain then, and dead
-- letters are bounded.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then
  return -1
end
local function value(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then
      return fields[i + 1]
    end
  end
end
local letter = {unpack(ARGV, 7)}
local pending = redis.pcall('XPENDING', KEYS[2], ARGV[2], ARGV[3], ARGV[3], 1)
if pending.err or #pending == 0 then
  for _, former in ipairs(redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 100)) do
    if value(former[2], 'entry_id') == value(letter, 'entry_id')
      and value(former[2], 'stream') == value(letter, 'stream')
      and value(former[2], 'failed_at') == value(letter, 'failed_at') then
      return 0
    end
  end
end
-- What may be refused is tried before what doubles: a user without the right to acknowledge would
-- get one more dead letter with each try. There is no entry 0-0.
redis.call('XACK', KEYS[2], ARGV[2], '0-0')
redis.call('HDEL', KEYS[4], '')
if ARGV[5] == 'delete' then
  redis.call('XDEL', KEYS[2], '0-0')
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', unpack(ARGV, 7))
local acknowledged = redis.call('XACK', KEYS[2], ARGV[2], ARGV[3])
redis.call('HDEL', KEYS[4], ARGV[6])
if ARGV[5] == 'delete' then
  redis.call('XDEL', KEYS[2], ARGV[3])
elseif acknowledged == 1 then
  local name = value(letter, 'reason') == 'struck' and 'struck' or 'dead'
  redis.pcall('HINCRBY', KEYS[5], name, 1)
end
return 1
