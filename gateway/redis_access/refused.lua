-- A function of scripts: refused(command, key, ...) is the error to return if this user may not carry
-- the command out, else nil. Asked before anything is written.
local function refused(...)
  if not redis.acl_check_cmd(...) then
    return redis.error_reply('NOPERM this user may not ' .. select(1, ...) .. ' ' .. select(2, ...))
  end
end
