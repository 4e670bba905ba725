"""What the store does in one step each. Every time is the server's own, in milliseconds.

The first two keys are a login and its turn. An answer is a word, the time, and the login as it is stored:
number, n, record, mark, when it was written, when its access token dies; then what the word needs. The word
is `damaged`, whatever was asked, if what is stored is none of ours: that key follows what can be read of it.
"""

from __future__ import annotations

import hashlib


class Script:
    """A Lua script and the name that the server has for it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()  # the server's rule


_STATE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local damaged
-- Some fields of a hash; none of them, and it is damaged, if the key holds something else.
local function fields(key, ...)
  local found = redis.pcall('HMGET', key, ...)
  if not found.err then return found end
  if not string.find(found.err, 'WRONGTYPE') then error(found.err, 0) end
  damaged = damaged or key
  return {}
end
local stored = fields(KEYS[1], 'number', 'n', 'record', 'mark', 'written', 'ends')
local turn = KEYS[2] and fields(KEYS[2], 'name', 'host', 'mark', 'said')
local forms = {'^%d+$', '^%d+$', '', '^%w+$', '^%-?%d+$', '^%-?%d+$'}
for place, form in ipairs(forms) do
  local is_good = stored[place] and string.match(stored[place], form)
  -- A record has all of them; a logout leaves some.
  if not is_good and (stored[place] or stored[3]) then damaged = damaged or KEYS[1] end
  stored[place] = is_good and stored[place] or false
end
local function answer(word, ...)
  return {word, now, stored[1], stored[2], stored[3], stored[4], stored[5], stored[6], ...}
end
-- Above 0: what is stored is newer than this.
local function compare(number, n)
  local ahead = tonumber(stored[1] or 0) - tonumber(number)
  if ahead ~= 0 then return ahead end
  return tonumber(stored[2] or 0) - tonumber(n)
end
"""

# A server that was restarted, flushed or took over from another may have lost the last writes. Where INFO is
# forbidden this cannot be known.
_RUN = """
local function run_id()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%w+)') or nil
end
local function notice_a_loss()
  local run = run_id()
  if run and redis.call('HGET', KEYS[2], 'run') ~= run then
    redis.call('HSET', KEYS[2], 'run', run, 'lost', now)
  end
end
-- How long ago a moment in the turn was. One that lies ahead, as after a step back of the clock, is now: the
-- time that is waited begins anew, which loses nothing; to call it over could send a token twice.
local function since(moment)
  local at = redis.call('HGET', KEYS[2], moment)
  if not at then return false end
  at = tonumber(at)
  if not at or at > now then
    redis.call('HSET', KEYS[2], moment, now)
    at = now
  end
  return now - at
end
"""

_DAMAGED = """
if damaged then return answer('damaged', damaged) end
"""

LOOK = Script(_STATE + _DAMAGED + "return answer('stored')")

#: ARGV: who asks, on which host, number and n that it knows, whether it may take over a turn that is too old
#: (1 or 0), and the limits: turn, quiet.
TAKE = Script(
    _STATE
    + _DAMAGED
    + _RUN
    + """
local me, host, turn_limit, quiet = ARGV[1], ARGV[2], tonumber(ARGV[6]), tonumber(ARGV[7])
notice_a_loss()
local ahead = compare(ARGV[3], ARGV[4])
if ahead > 0 then return answer('newer') end
if ahead < 0 then return answer('behind') end
local lost = since('lost')
if turn[3] and turn[3] == stored[4] then
  if turn[4] then return answer('refused', turn[4], lost) end
  local age = since('at') or 0
  if turn[1] ~= me and (age < turn_limit or ARGV[5] == '0') then return answer('wait', turn[2], age) end
end
if lost and lost < quiet then return answer('quiet', lost) end
redis.call('HSET', KEYS[2], 'name', me, 'host', host, 'mark', stored[4], 'at', now)
redis.call('HDEL', KEYS[2], 'said')
return answer('go')
"""
)

#: ARGV: number, n, record (empty: a logout), mark, milliseconds since it was written, milliseconds that its
#: access token lives, whether a person did this (1 or 0), the channel, the message.
PUT = Script(
    _STATE
    + _RUN
    + """
local by_hand = ARGV[7] == '1'
if damaged and not by_hand then return answer('damaged', damaged) end
if compare(ARGV[1], ARGV[2]) >= 0 then
  if not damaged then notice_a_loss() end
  return answer('kept')
end
if #turn == 0 then redis.call('DEL', KEYS[2]) end
-- A full store, or a right that is missing, ends the script where it stands. So what may be refused is tried
-- before the login is touched; the first is refused by a full store.
redis.call('HSET', KEYS[2], 'put', ARGV[1])
if by_hand then
  local run = run_id()
  redis.call('DEL', KEYS[2])
  if damaged then redis.call('DEL', KEYS[1]) end
  if run then redis.call('HSET', KEYS[2], 'run', run) end
else
  notice_a_loss()
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], 'record', 'mark', 'ends')
  redis.call('HSET', KEYS[1], 'number', ARGV[1], 'n', ARGV[2], 'written', now - ARGV[5])
else
  redis.call('HSET', KEYS[1], 'number', ARGV[1], 'n', ARGV[2], 'written', now - ARGV[5],
    'record', ARGV[3], 'mark', ARGV[4], 'ends', now + ARGV[6])
end
redis.pcall('PUBLISH', ARGV[8], ARGV[9])
return answer('put')
"""
)

#: ARGV: whose turn, the mark of its token, what the server said (empty: nothing, the turn is given back),
#: the channel, the message.
REFUSED = Script(
    _STATE
    + _DAMAGED
    + _RUN
    + """
notice_a_loss()
local lost = since('lost')
if turn[1] ~= ARGV[1] or turn[3] ~= ARGV[2] or stored[4] ~= ARGV[2] then return answer('other', lost) end
local changed
if ARGV[3] == '' then
  changed = redis.call('HDEL', KEYS[2], 'mark')
else
  changed = redis.call('HSET', KEYS[2], 'said', ARGV[3])
end
if changed == 1 then redis.pcall('PUBLISH', ARGV[4], ARGV[5]) end
return answer('noted', lost)
"""
)

#: KEYS: a login. ARGV: its record, and the same sealed with another key.
SEAL = Script(
    """
if redis.call('HGET', KEYS[1], 'record') == ARGV[1] then redis.call('HSET', KEYS[1], 'record', ARGV[2]) end
return 1
"""
)

#: KEYS: a hash of counts. ARGV: seconds that it is kept; then three lists, each after its length: fields
#: to count up with how much, fields to set with their values, fields to remove.
COUNT = Script(
    """
local at = 2
local function each(command, width)
  local length = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, length do
    redis.call(command, KEYS[1], unpack(ARGV, at, at + width - 1))
    at = at + width
  end
end
each('HINCRBY', 2)
each('HSET', 2)
each('HDEL', 1)
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
)

#: KEYS: the note. ARGV: what it must be, what it becomes, seconds that it is kept. Empty: nothing; what is of
#: another type counts as that.
SWAP = Script(
    """
local there = redis.pcall('GET', KEYS[1]) or ''
if there.err then
  if not string.find(there.err, 'WRONGTYPE') then return there end
  there = ''
end
if there ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1
"""
)
