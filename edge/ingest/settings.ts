import { z } from "zod";

/** Hosts on which only programs of this machine can connect. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);

/** The broker inside the gateway: devices connect to it. */
const brokerSettingsSchema = z
  .strictObject({
    /** The address to listen on; other than loopback needs allowAnonymousRemote. */
    host: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe("The address to listen on; other than loopback needs allowAnonymousRemote."),
    /** The port to listen on; 0 takes a free one. */
    port: z.int().min(0).max(65_535).default(1_883).describe("The port to listen on; 0 takes a free one."),
    /** Whether devices of other machines may connect without saying who they are: only in a trusted network. */
    allowAnonymousRemote: z
      .boolean()
      .default(false)
      .describe(
        "Whether devices of other machines may connect without saying who they are: only in a trusted network.",
      ),
    /** Most connections at once; each costs about 30 kB of memory, and one more is closed at once. */
    connectionsMax: z
      .int()
      .min(1)
      .max(100_000)
      .default(2_000)
      .describe(
        "Most connections at once; each costs about 30 kB of memory, and one more is closed at once.",
      ),
    /** How long a connection may take to say CONNECT, in milliseconds. */
    connectTimeoutMs: z
      .int()
      .min(100)
      .max(120_000)
      .default(10_000)
      .describe("How long a connection may take to say CONNECT, in milliseconds."),
    /** How long a connection is silent before TCP asks whether its peer is still there, in milliseconds. */
    tcpKeepAliveMs: z
      .int()
      .min(1_000)
      .max(3_600_000)
      .default(60_000)
      .describe(
        "How long a connection is silent before TCP asks whether its peer is still there, in milliseconds.",
      ),
    /** How long a subscriber may leave its messages unread, in milliseconds; it holds up publishers meanwhile. */
    subscriberStallMs: z
      .int()
      .min(100)
      .max(600_000)
      .default(5_000)
      .describe(
        "How long a subscriber may leave its messages unread, in milliseconds; it holds up publishers meanwhile.",
      ),
    /** Most messages that wait in memory for one subscriber that is away; newer ones are not kept for it. */
    queuedMessagesMax: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(1_000)
      .describe(
        "Most messages that wait in memory for one subscriber that is away; newer ones are not kept for it.",
      ),
    /** Most topics with a retained message; one more is stored and delivered, but not retained. */
    retainedTopicsMax: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(10_000)
      .describe("Most topics with a retained message; one more is stored and delivered, but not retained."),
  })
  .refine((broker) => isLoopback(broker.host) || broker.allowAnonymousRemote, {
    path: ["allowAnonymousRemote"],
    error: "must be true where host is not loopback: anyone who reaches the port can publish",
  });

/** A broker that is already there: the gateway subscribes to it. */
const clientSettingsSchema = z.strictObject({
  /** The broker's address. */
  url: z
    .url({ protocol: /^(mqtts?|wss?)$/ })
    .describe("The broker's address: mqtt://, mqtts://, ws:// or wss://.")
    .meta({ examples: ["mqtt://broker.example:1883"] }),
  /** Topic filters to subscribe to. */
  topics: z
    .array(z.string().min(1).max(1_024))
    .min(1)
    .max(1_000)
    .describe("Topic filters to subscribe to.")
    .meta({ examples: [["plant/+/telemetry"]] }),
  /** The name of the persistent session at the broker: keeps its messages while the gateway is away. */
  clientId: z
    .string()
    .min(1)
    .max(128)
    .describe(
      "The name of the persistent session at the broker, which keeps messages while the gateway is away; never given twice.",
    )
    .meta({ examples: ["sluice-site-1"] }),
  /** The user name, where the broker wants one. */
  username: z.string().min(1).optional().describe("The user name, where the broker wants one."),
  /** The password, where the broker wants one. */
  password: z.string().min(1).optional().describe("The password, where the broker wants one."),
  /** The MQTT version to speak: 4 is 3.1.1. */
  protocolVersion: z
    .union([z.literal(4), z.literal(5)])
    .default(5)
    .describe("The MQTT version to speak: 4 is 3.1.1."),
  /** The shared subscription's group, when several gateways split the load of the topics. */
  sharedGroup: z
    .string()
    .regex(/^[^/+#\s]{1,128}$/, "1 to 128 characters without slash, plus, hash or space")
    .optional()
    .describe("The shared subscription's group, when several gateways split the load of the topics."),
  /** File of the certificates (PEM) that sign the broker's; left out, those of the system. */
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe("File of the certificates (PEM) that sign the broker's; left out, the usual ones are trusted."),
  /** How long the broker keeps the session while the gateway is away, in seconds (MQTT 5 only). */
  sessionExpiryS: z
    .int()
    .min(0)
    .max(4_294_967_295)
    .default(604_800)
    .describe("How long the broker keeps the session while the gateway is away, in seconds (MQTT 5 only)."),
  /** How often the connection says that it is alive, in seconds. */
  keepAliveS: z
    .int()
    .min(5)
    .max(3_600)
    .default(30)
    .describe("How often the connection says that it is alive, in seconds."),
  /** How long connecting may take, in milliseconds. */
  connectTimeoutMs: z
    .int()
    .min(100)
    .max(120_000)
    .default(10_000)
    .describe("How long connecting may take, in milliseconds."),
  /** The first wait before connecting again, in milliseconds; each further one is twice as long. */
  reconnectBaseMs: z
    .int()
    .min(10)
    .max(60_000)
    .default(500)
    .describe("The first wait before connecting again, in milliseconds; each further one is twice as long."),
  /** The longest wait before connecting again, in milliseconds. */
  reconnectMaxMs: z
    .int()
    .min(10)
    .max(3_600_000)
    .default(30_000)
    .describe("The longest wait before connecting again, in milliseconds."),
  /** Most messages that are received but not yet on disk; at it, reading from the broker pauses. */
  unsettledMessagesMax: z
    .int()
    .min(1)
    .max(65_535)
    .default(10_000)
    .describe("Most messages that are received but not yet on disk; at it, reading from the broker pauses."),
  /** Most messages of the gateway itself that wait to be published; one more is refused. */
  publishQueueMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe("Most messages of the gateway itself that wait to be published; one more is refused."),
});

/** Where messages come from: the broker inside the gateway, a broker that is already there, or both. */
export const ingestSettingsSchema = z
  .strictObject({
    /** The broker inside the gateway, to which devices connect. */
    broker: brokerSettingsSchema
      .optional()
      .describe("The broker inside the gateway, to which devices connect."),
    /** A broker that is already there, to which the gateway subscribes. */
    client: clientSettingsSchema
      .optional()
      .describe("A broker that is already there, to which the gateway subscribes."),
    /** The largest MQTT packet, in bytes; a longer one is refused at its header, before it is buffered. */
    packetBytesMax: z
      .int()
      .min(1_024)
      .max(16_777_216)
      .default(262_144)
      .describe(
        "The largest MQTT packet, in bytes; a longer one is refused at its header, before it is buffered.",
      ),
    /** How long a stop waits for messages that are on their way to disk, in milliseconds. */
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
