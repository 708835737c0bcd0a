import { createHash } from "node:crypto";

/** A program that Redis runs in one step. */
export interface RedisScript {
  readonly text: string;
  /** Its name in Redis. */
  readonly sha1: string;
}

const script = (text: string): RedisScript => ({ text, sha1: createHash("sha1").update(text).digest("hex") });

/*
 * KEYS of a peer: [1] its messages by when they are forgotten, [2] the same by age, [3] the age given last. KEYS[4] is of
 * all peers: each by when the first of its messages is forgotten. Scores are doubles, so every safe integer is exact; the
 * numbers of Lua lose digits when they are written, so what came as text goes on as text.
 */

const DROP = `
local function drop(messages)
  for _, message in ipairs(messages) do
    redis.call('ZREM', KEYS[1], message)
    redis.call('ZREM', KEYS[2], message)
  end
  return #messages
end
local function note(peer)
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if first[2] then redis.call('ZADD', KEYS[4], first[2], peer) else redis.call('ZREM', KEYS[4], peer) end
end
`;

/** ARGV: peer, message, until, maxEntries, now, ttl. Returns whether it is the first, and how many were evicted. */
export const REMEMBER = script(`${DROP}
local peer, message, untilText = ARGV[1], ARGV[2], ARGV[3]
local maxEntries, now, ttl = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local known = redis.call('ZSCORE', KEYS[1], message)
if known and tonumber(known) > now then return {0, 0} end
if tonumber(untilText) <= now then return {1, 0} end
local age = redis.call('INCR', KEYS[3])
redis.call('ZADD', KEYS[1], untilText, message)
redis.call('ZADD', KEYS[2], age, message)
local evicted = 0
local excess = redis.call('ZCARD', KEYS[1]) - maxEntries
if excess > 0 then
  -- Of very many, some go now and the others with the next messages: nobody else is served meanwhile.
  excess = math.min(excess, 1000)
  excess = excess - drop(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[5], 'LIMIT', 0, excess))
  if excess > 0 then evicted = drop(redis.call('ZRANGE', KEYS[2], 0, excess - 1)) end
end
note(peer)
-- What nobody prunes, because the peer or the site is gone, goes by itself.
for index = 1, 3 do
  if redis.call('PTTL', KEYS[index]) < ttl then redis.call('PEXPIRE', KEYS[index], ARGV[6]) end
end
return {1, evicted}
`);

/** ARGV: peer, now, limit. Returns how many were removed. */
export const PRUNE = script(`${DROP}
local removed = drop(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3]))
note(ARGV[1])
return removed
`);
