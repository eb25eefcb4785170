import { SLUICE_TOPIC } from "./topic.ts";

/**
 * Messages that come by the gateway's spool folder and not by MQTT: rows of an imported file, and messages that are to
 * be decoded again. The topic carries the job and the message's place in it, so that one that comes twice counts once.
 */
const SPOOL_TOPIC = `${SLUICE_TOPIC}/spool`;

export interface SpoolPlace {
  /** The job: the same file with the same mapping is the same job. */
  readonly job: string;
  /** Increasing by one from 0 within the job. */
  readonly number: number;
}

const JOB = /^[A-Za-z0-9-]{1,128}$/;

export const isSpoolJob = (text: string): boolean => JOB.test(text);

export const isSpoolTopic = (topic: string): boolean => topic.startsWith(`${SPOOL_TOPIC}/`);

export const spoolTopic = ({ job, number }: SpoolPlace): string => `${SPOOL_TOPIC}/${job}/${number}`;

/** Undefined where the topic is not one that `spoolTopic` makes. */
export function parseSpoolTopic(topic: string): SpoolPlace | undefined {
  const [job = "", number = "", ...rest] = topic.slice(SPOOL_TOPIC.length + 1).split("/");
  if (!isSpoolTopic(topic) || rest.length > 0 || !JOB.test(job) || !/^\d{1,15}$/.test(number))
    return undefined;
  return { job, number: Number(number) };
}
