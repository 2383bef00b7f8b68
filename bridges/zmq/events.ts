import type { Event, Socket } from 'zeromq'

/** For a closed socket to give its last event. */
const LAST_EVENT_MS = 300

/**
 * Tells `take` of the events of `socket`, from now on.
 *
 * `socket.events.on` goes on until the last event of a socket, "end", and that one can be lost: a thread that waits for it never ends. So events are read
 * here, and after the socket was closed not for long. They are read that far, because zeromq.js gives the name of an observer that is closed before to the
 * next one, when libzmq still has it ("Address already in use").
 * @returns to be called once the socket is closed: resolves when no event is waited for any more
 */
export function watchEvents(socket: Socket, take: (event: Event) => void): () => Promise<void> {
  const { events } = socket
  const read = async (): Promise<void> => {
    while (!events.closed) take(await events.receive())
  }
  // Whoever waits for an event when the observer is closed is told so by an error.
  const done = read().catch((error: unknown) => {
    if (!events.closed) throw error
  })
  return async () => {
    const limit = setTimeout(() => events.close(), LAST_EVENT_MS)
    await done
    clearTimeout(limit)
  }
}
