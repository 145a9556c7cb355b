#!lua flags=allow-oom
-- Remove up to ARGV[3] of the entries of KEYS[1] that stand before the id ARGV[2], if the lease
-- KEYS[2] is still that of ARGV[1] and the groups stand where the plan saw them, or further; count
-- them in the books KEYS[3]. ARGV[4] groups of the plan follow, each with its last delivered id,
-- then the groups that hold nothing.
-- Returns {removed}, or {-1} if the plan is void; then, of each group that holds nothing and lost
-- entries which it had not acknowledged, its name and their number. Idempotent, and in steps,
-- since everybody waits while it runs. Whole nodes of the stream are removed ("~"), so a few
-- entries may stay until the next ones join them.
-- What the user may not do is found before anything is removed that the books then lack.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return {-1}
end
if not redis.acl_check_cmd('HINCRBY', KEYS[3], 'own', '1') then
  return redis.error_reply('NOPERM this user may not HINCRBY ' .. KEYS[3])
end
-- uses: before
-- uses: named
local function first_id()
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  return first and first[1]
end
local limit = tonumber(ARGV[3])
local seen, holds_nothing = {}, {}
local last_seen = 4 + 2 * tonumber(ARGV[4])
for i = 5, last_seen, 2 do
  seen[ARGV[i]] = ARGV[i + 1]
end
for i = last_seen + 1, #ARGV do
  holds_nothing[ARGV[i]] = true
end
local first = first_id()
if not first then
  return {0}
end
local behind = {}
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = named(row)
  local name, delivered = group['name'], group['last-delivered-id']
  if not holds_nothing[name] then
    if not seen[name] or before(delivered, seen[name]) then
      return {-1}
    end
  else
    -- Of the entries that go, it has been delivered those up to here.
    local known = 0
    if not before(delivered, first) then
      known = #redis.call('XRANGE', KEYS[1], '-', delivered, 'COUNT', limit)
    end
    table.insert(behind, {name, delivered, known})
  end
end
local removed = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[2], 'LIMIT', limit)
local answer = {removed}
if removed == 0 then
  return answer
end
redis.call('HINCRBY', KEYS[3], 'own', removed)
local now_first = first_id()
for _, group in ipairs(behind) do
  local name, delivered, known = group[1], group[2], group[3]
  local upto = now_first and '(' .. now_first or '+'
  local pending = #redis.call('XPENDING', KEYS[1], name, first, upto, limit)
  local lost = pending + math.max(0, removed - known)
  if lost > 0 then
    table.insert(answer, name)
    table.insert(answer, lost)
  end
end
return answer
