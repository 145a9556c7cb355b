// Fastify with qs, and ioredis with auto-pipelining: the same job in the other ecosystem.
"use strict";
const { randomUUID } = require("node:crypto");
const Redis = require("ioredis");
const qs = require("qs");
const app = require("fastify")({ logger: false });

const redis = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true });
const tokens = { [process.env.MEMBER_ID]: process.env.TOKEN };

app.addContentTypeParser(
  "application/x-www-form-urlencoded",
  { parseAs: "string" },
  (_request, body, done) => done(null, qs.parse(body)),
);

app.post("/bitrix24/events", async (request, reply) => {
  const { auth, data, event, ts } = request.body;
  if (tokens[auth.member_id] !== auth.application_token) {
    return reply.code(403).send("forbidden");
  }
  const entry = {
    id: randomUUID(),
    source: `urn:bitrix24:${auth.member_id}`,
    type: event,
    time: Number(ts),
    receivedat: Date.now(),
    data: { comment_id: Number(data.FIELDS.ID), member_id: auth.member_id, domain: auth.domain },
  };
  await redis.xadd("bench:node", "*", "event", JSON.stringify(entry));
  return reply.send("ok");
});

app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
