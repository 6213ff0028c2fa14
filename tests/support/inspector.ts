// V8's inspector protocol, as far as it tells what a process's heap holds.
import { once } from "node:events";
import { within } from "./within.ts";

/**
 * Has the process behind `url` collect all of its garbage and give back what it does not need;
 * returns the bytes of V8's heap that are still in use.
 */
export async function collectGarbage(url: string): Promise<number> {
  const socket = new WebSocket(url);
  await within("the inspector", once(socket, "open"));
  try {
    let id = 0;
    const ask = async (method: string): Promise<Record<string, number>> => {
      const answer = Promise.withResolvers<Record<string, number>>();
      const sent = ++id;
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.id === sent) answer.resolve(message.result);
      };
      socket.send(JSON.stringify({ id: sent, method }));
      return await within(method, answer.promise);
    };
    // What a collection frees may, once finalized, free more.
    for (let i = 0; i < 3; i++) await ask("HeapProfiler.collectGarbage");
    return (await ask("Runtime.getHeapUsage")).usedSize;
  } finally {
    const closed = once(socket, "close");
    socket.close();
    await within("the inspector's close", closed);
  }
}
