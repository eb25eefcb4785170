import { z } from "zod";
import { isLoopback } from "./loopback.ts";
import { isTopicFilter } from "./topic-pattern.ts";

/** A whole number with a range and a default; its text says what it is, in which unit, and why there is a limit. */
const whole = (text: string, min: number, max: number, fallback: number) =>
  z.int().min(min).max(max).default(fallback).describe(text);

const pemFile = (text: string) => z.string().min(1).describe(text);

const tlsSettingsSchema = z
  .strictObject({
    host: z.string().min(1).default("127.0.0.1").describe("The address to listen on with TLS."),
    port: whole("The port to listen on with TLS; 0 takes a free one.", 0, 65_535, 8_883),
    certFile: pemFile("File of the broker's certificate and those between it and its root (PEM).").meta({
      examples: ["tls/broker.crt"],
    }),
    keyFile: pemFile("File of the certificate's private key (PEM, without a pass phrase).").meta({
      examples: ["tls/broker.key"],
    }),
    caFile: pemFile("File of the certificates (PEM) that sign those of clients.").optional(),
    crlFile: pemFile("File of the certificates of clients that are no longer valid (PEM).").optional(),
    requireClientCertificate: z
      .boolean()
      .default(false)
      .describe("Whether a client must show a certificate that caFile has signed."),
    userFromCertificate: z
      .enum(["none", "commonName", "dnsName"])
      .default("none")
      .describe("What of a client's certificate is its user's name; it then needs no password."),
    minVersion: z
      .enum(["TLSv1.2", "TLSv1.3"])
      .default("TLSv1.2")
      .describe("The oldest TLS that is spoken: 1.2 for devices that know no other."),
    expiryWarningDays: whole("How many days before its end the certificate is a problem.", 1, 365, 14),
  })
  .refine(
    (tls) =>
      tls.caFile !== undefined || !(tls.requireClientCertificate || tls.userFromCertificate !== "none"),
    {
      path: ["caFile"],
      error: "is needed to check the certificates of clients",
    },
  );

const actions = (text: string) =>
  z
    .array(z.enum(["publish", "subscribe"]))
    .min(1)
    .optional()
    .describe(text);

const accessRuleSchema = z
  .strictObject({
    allow: actions("What the rule lets clients do: publish, subscribe or both."),
    deny: actions("What the rule forbids, whatever others allow."),
    users: z.array(z.string().min(1)).min(1).optional().describe("For whom; left out, for everybody."),
    topics: z
      .array(z.string().max(1_024).refine(isTopicFilter, "is no topic filter"))
      .min(1)
      .max(1_000)
      .describe("Topic filters; {username} and {clientid} stand for the client's own."),
  })
  .refine((rule) => (rule.allow === undefined) !== (rule.deny === undefined), {
    error: "give either allow or deny",
  });

/** What one client may take of the gateway. */
const clientLimits = {
  keepAliveMaxS: whole(
    "The longest keep-alive, in seconds, also for a client that asks for none: who says nothing for one and a half of it is gone.",
    1,
    65_535,
    3_600,
  ),
  clientIdBytesMax: whole("The longest client id, in bytes.", 23, 65_535, 256),
  willBytesMax: whole("The largest will message, in bytes; it waits in memory.", 0, 1_048_576, 16_384),
  topicBytesMax: whole(
    "The longest topic or topic filter, in bytes; topics are kept in memory.",
    16,
    65_535,
    1_024,
  ),
  topicLevelsMax: whole("Most levels of a topic or topic filter; matching takes time for each.", 1, 100, 32),
  subscriptionsMax: whole(
    "Most subscriptions of one client; each costs about 1 kB of memory.",
    1,
    100_000,
    1_000,
  ),
  publishMessagesPerS: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      "Most messages of one client in a second; reading from it pauses, nothing is lost. Left out, any.",
    ),
  publishBytesPerS: z
    .int()
    .min(1_024)
    .max(1_000_000_000)
    .optional()
    .describe("Most bytes of publishes of one client in a second; reading from it pauses. Left out, any."),
};

/** The broker inside the gateway: devices connect to it. */
const brokerSettingsSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe("The address to listen on; other than loopback needs usersFile or allowAnonymousRemote."),
    port: whole("The port to listen on; 0 takes a free one.", 0, 65_535, 1_883),
    plainTcp: z
      .boolean()
      .default(true)
      .describe(
        "Whether host and port take connections without TLS; false where tls is to be the only way in.",
      ),
    tls: tlsSettingsSchema.optional().describe("A second address, at which clients speak TLS."),
    usersFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        "File of users and password hashes (`sluice-gateway users`); with it everybody needs a password.",
      )
      .meta({ examples: ["users"] }),
    allowAnonymousRemote: z
      .boolean()
      .default(false)
      .describe(
        "Whether devices of other machines may connect without saying who they are: only in a trusted network.",
      ),
    access: z
      .array(accessRuleSchema)
      .min(1)
      .max(10_000)
      .optional()
      .describe("Who may publish and subscribe to what; with it, what no rule allows is refused.")
      .meta({
        examples: [
          [
            { allow: ["publish"], topics: ["plant/{username}/#"] },
            { allow: ["subscribe"], users: ["dashboard"], topics: ["sluice/#"] },
          ],
        ],
      }),
    recheckS: whole(
      "How often certificates and users are read again if they have changed, in seconds.",
      1,
      86_400,
      30,
    ),
    failedLoginsPerMinMax: whole(
      "Wrong passwords of one user from one address in a minute (ten times as many from one address); more are not looked at.",
      1,
      10_000,
      20,
    ),
    passwordCacheS: whole(
      "How long a right password is remembered, in seconds, so that connecting again costs nothing; kept as a keyed hash.",
      0,
      86_400,
      600,
    ),
    connectionsMax: whole(
      "Most connections at once; each costs about 30 kB of memory, and one more is closed at once.",
      1,
      100_000,
      2_000,
    ),
    connectionsPerAddressMax: whole(
      "Most connections at once from one address, so that one machine cannot take all.",
      1,
      100_000,
      1_500,
    ),
    halfOpenMax: whole(
      "Most connections that have not said CONNECT; one more closes the oldest.",
      1,
      100_000,
      1_000,
    ),
    connectTimeoutMs: whole(
      "How long a connection may take to say CONNECT, in milliseconds.",
      100,
      120_000,
      10_000,
    ),
    tcpKeepAliveMs: whole(
      "How long a connection is silent before TCP asks whether its peer is still there, in milliseconds.",
      1_000,
      3_600_000,
      60_000,
    ),
    ...clientLimits,
    unsettledMessagesMax: whole(
      "Most publishes of one client that are received but not yet on disk or with subscribers; at it, reading from the client pauses.",
      1,
      65_535,
      4_096,
    ),
    unsettledBytesMax: whole(
      "Most bytes of those publishes of one client; at it, reading from the client pauses.",
      1_024,
      67_108_864,
      524_288,
    ),
    subscriberStallMs: whole(
      "How long a client may leave messages or acknowledgements unread, in milliseconds; it holds up publishers meanwhile.",
      100,
      600_000,
      5_000,
    ),
    sessionsMax: whole(
      "Most sessions that are kept for clients that are away; the one that is away the longest ends first.",
      0,
      1_000_000,
      2_000,
    ),
    sessionAgeS: whole(
      "How long a session is kept for a client that is away, in seconds.",
      1,
      31_536_000,
      604_800,
    ),
    queuedMessagesMax: whole(
      "Most messages that wait in memory for one subscriber that is away; newer ones are not kept for it.",
      0,
      1_000_000,
      1_000,
    ),
    retainedTopicsMax: whole(
      "Most topics with a retained message; one more is stored and delivered, but not retained.",
      0,
      1_000_000,
      10_000,
    ),
  })
  .refine(
    (broker) =>
      !broker.plainTcp ||
      isLoopback(broker.host) ||
      broker.allowAnonymousRemote ||
      broker.usersFile !== undefined,
    {
      path: ["allowAnonymousRemote"],
      error:
        "must be true where host is not loopback and there is no usersFile: anyone who reaches the port can publish",
    },
  )
  .refine(
    ({ tls, ...broker }) =>
      tls === undefined ||
      isLoopback(tls.host) ||
      tls.requireClientCertificate ||
      broker.allowAnonymousRemote ||
      broker.usersFile !== undefined,
    {
      path: ["tls", "requireClientCertificate"],
      error:
        "must be true where tls.host is not loopback, unless there is a usersFile or allowAnonymousRemote is true",
    },
  )
  .refine((broker) => broker.plainTcp || broker.tls !== undefined, {
    path: ["plainTcp"],
    error: "must be true without tls: nobody could connect",
  });

/** A broker that is already there: the gateway subscribes to it. */
const clientSettingsSchema = z
  .strictObject({
    url: z
      .url({ protocol: /^(mqtts?|wss?)$/ })
      .describe("The broker's address: mqtt://, mqtts://, ws:// or wss://.")
      .meta({ examples: ["mqtt://broker.example:1883"] }),
    topics: z
      .array(z.string().min(1).max(1_024))
      .min(1)
      .max(1_000)
      .describe("Topic filters to subscribe to.")
      .meta({ examples: [["plant/+/telemetry"]] }),
    clientId: z
      .string()
      .min(1)
      .max(128)
      .describe(
        "The name of the persistent session at the broker, which keeps messages while the gateway is away; never given twice.",
      )
      .meta({ examples: ["sluice-site-1"] }),
    username: z.string().min(1).optional().describe("The user name, where the broker wants one."),
    password: z.string().min(1).optional().describe("The password, where the broker wants one."),
    protocolVersion: z
      .union([z.literal(4), z.literal(5)])
      .default(5)
      .describe("The MQTT version to speak: 4 is 3.1.1."),
    sharedGroup: z
      .string()
      .regex(/^[^/+#\s]{1,128}$/, "1 to 128 characters without slash, plus, hash or space")
      .optional()
      .describe("The shared subscription's group, when several gateways split the load of the topics."),
    caFile: pemFile(
      "File of the certificates (PEM) that sign the broker's; left out, the usual ones are trusted.",
    ).optional(),
    certFile: pemFile(
      "File of the certificate (PEM) that the gateway shows the broker, where it wants one.",
    ).optional(),
    keyFile: pemFile("File of that certificate's private key (PEM, without a pass phrase).").optional(),
    serverName: z
      .string()
      .min(1)
      .optional()
      .describe("The name that the broker's certificate must have (mqtts only); left out, the one in url."),
    expiryWarningDays: whole("How many days before its end certFile's certificate is a problem.", 1, 365, 14),
    sessionExpiryS: whole(
      "How long the broker keeps the session while the gateway is away, in seconds (MQTT 5 only).",
      0,
      4_294_967_295,
      604_800,
    ),
    keepAliveS: whole("How often the connection says that it is alive, in seconds.", 5, 3_600, 30),
    connectTimeoutMs: whole("How long connecting may take, in milliseconds.", 100, 120_000, 10_000),
    reconnectBaseMs: whole(
      "The first wait before connecting again, in milliseconds; each further one is twice as long.",
      10,
      60_000,
      500,
    ),
    reconnectMaxMs: whole(
      "The longest wait before connecting again, in milliseconds.",
      10,
      3_600_000,
      30_000,
    ),
    unsettledMessagesMax: whole(
      "Most messages that are received but not yet on disk; at it, reading from the broker pauses.",
      1,
      65_535,
      10_000,
    ),
    publishQueueMax: whole(
      "Most messages of the gateway itself that wait to be published; one more is refused.",
      1,
      100_000,
      1_000,
    ),
  })
  .refine((client) => (client.certFile === undefined) === (client.keyFile === undefined), {
    path: ["keyFile"],
    error: "and certFile belong together: give both or neither",
  })
  .refine(
    ({ url, caFile, certFile, serverName }) =>
      /^(mqtts|wss):/.test(url) || (caFile ?? certFile ?? serverName) === undefined,
    { path: ["url"], error: "must be mqtts:// or wss:// where certificates are given: nothing is encrypted" },
  )
  .refine(({ url, serverName }) => serverName === undefined || url.startsWith("mqtts:"), {
    path: ["serverName"],
    error: "is for mqtts:// only: a WebSocket's certificate must have the name in url",
  });

/** Where messages come from: the broker inside the gateway, a broker that is already there, or both. */
export const ingestSettingsSchema = z
  .strictObject({
    broker: brokerSettingsSchema
      .optional()
      .describe("The broker inside the gateway, to which devices connect."),
    client: clientSettingsSchema
      .optional()
      .describe("A broker that is already there, to which the gateway subscribes."),
    packetBytesMax: z
      .int()
      .min(1_024)
      .max(16_777_216)
      .default(262_144)
      .describe(
        "The largest MQTT packet, in bytes; a longer one is refused at its header, before it is buffered.",
      ),
    stopDeadlineMs: z
      .int()
      .min(0)
      .max(60_000)
      .default(5_000)
      .describe("How long a stop waits for messages that are on their way to disk, in milliseconds."),
  })
  .refine((ingest) => ingest.broker !== undefined || ingest.client !== undefined, {
    error: "give broker, client, or both: without one no message can come in",
  });

export type IngestSettings = z.infer<typeof ingestSettingsSchema>;
export type BrokerSettings = z.infer<typeof brokerSettingsSchema>;
export type ClientSettings = z.infer<typeof clientSettingsSchema>;
