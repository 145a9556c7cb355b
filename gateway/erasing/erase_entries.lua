#!lua flags=allow-oom
-- Delete entries of the stream KEYS[1], so that nobody takes them for lost.
--
-- KEYS[2]    the books of what was removed from the stream (gateway.retention)
-- KEYS[2+n]  the lease of the group n on this partition; behind them, in the same order, the balance of
--            each group
-- ARGV[1]    how many groups; then their names; then the ids of entries
--
-- Pending ones are acknowledged, for nobody can handle them any more. What a group had still to read
-- is counted under `erased` in its lease, where its consumer looks before it raises the alarm.
-- Returns how many were there. May be repeated.
-- uses: before
-- uses: named
local delivered = {}
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = named(row)
  delivered[group['name']] = group['last-delivered-id']
end
local count, erased = tonumber(ARGV[1]), 0
for i = count + 2, #ARGV do
  local id = ARGV[i]
  if #redis.call('XRANGE', KEYS[1], id, id) == 1 then
    for n = 1, count do
      local name = ARGV[n + 1]
      local was_pending = delivered[name] and redis.call('XACK', KEYS[1], name, id) == 1
      if was_pending then
        redis.pcall('HINCRBY', KEYS[n + count + 2], 'erased', 1)
      end
      if delivered[name] and not was_pending and before(delivered[name], id) then
        redis.call('HINCRBY', KEYS[n + 2], 'erased', 1)
      end
    end
    redis.call('XDEL', KEYS[1], id)
    erased = erased + 1
  end
end
if erased > 0 and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HINCRBY', KEYS[2], 'own', erased)
  redis.call('HSET', KEYS[2], 'max_deleted',
    named(redis.call('XINFO', 'STREAM', KEYS[1]))['max-deleted-entry-id'])
end
return erased
