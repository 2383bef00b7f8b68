/** Messages after which the event loop gets its turn, however many more wait: the control loop needs it. */
const BURST = 64
/** Of `receiveTimeout`: until there is a message. */
const FOREVER = -1

/** The part of a ZeroMQ socket that is read from. */
export interface MessageReceiver {
  readonly closed: boolean
  receiveTimeout: number
  receive(): Promise<Buffer[]>
}

/**
 * The one reader of a socket: gives the parts of each message to `take`, until the socket is closed. The bridge's sockets queue without a
 * limit, so reading has to outrun whoever sends. After each burst the socket is read without waiting until it has nothing left: zeromq.js
 * then does not look for events before every message, which takes longer than reading it.
 *
 * Rejects with what `take` throws, which ends the reading.
 */
export async function readAll(socket: MessageReceiver, take: (parts: Buffer[]) => void): Promise<void> {
  for (let count = 1; !socket.closed; count++) {
    const parts = await next(socket)
    if (parts !== undefined) take(parts)
    if (count % BURST !== 0) continue
    await new Promise((resolve) => setImmediate(resolve))
    if (!socket.closed) socket.receiveTimeout = 0
  }
}

/** Undefined where there was none, or the socket was closed. */
async function next(socket: MessageReceiver): Promise<Buffer[] | undefined> {
  try {
    return await socket.receive()
  } catch (error) {
    if (socket.closed) return undefined
    const isEmpty = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
    if (!isEmpty || socket.receiveTimeout === FOREVER) throw error
    socket.receiveTimeout = FOREVER
    return undefined
  }
}
