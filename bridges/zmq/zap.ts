import type { Context } from 'zeromq'
import { Router } from 'zeromq'
import { encodeZ85 } from './z85.ts'

/** A connection that asks to be let in. */
export interface ZapRequest {
  /** Z85 */
  readonly publicKey: string
  /** Which of the robot's sockets, by its `zapDomain`. */
  readonly domain: string
  /** IP address of the peer. */
  readonly address: string
}

/** Why a connection is refused; undefined lets it in. */
export type ZapRefusal = (request: ZapRequest) => string | undefined | Promise<string | undefined>

/** Answers the questions of all CURVE sockets of one context (ZeroMQ RFC 27). Without one, CURVE lets any key in. */
export class ZapHandler {
  readonly #socket: Router
  readonly #refusal: ZapRefusal

  private constructor(socket: Router, refusal: ZapRefusal) {
    this.#socket = socket
    this.#refusal = refusal
  }

  /**
   * Must be awaited before any socket of `context` is bound.
   * @param refusal why a connection is refused; undefined lets it in
   */
  static async start(context: Context, refusal: ZapRefusal): Promise<ZapHandler> {
    const socket = new Router({ context, linger: 0 })
    await socket.bind('inproc://zeromq.zap.01')
    const handler = new ZapHandler(socket, refusal)
    void handler.#answer()
    return handler
  }

  close(): void {
    this.#socket.close()
  }

  async #answer(): Promise<void> {
    for await (const [peer, empty, version, id, domain, address, , mechanism, key] of this.#socket) {
      const isCurve = mechanism?.toString() === 'CURVE' && key?.length === 32
      const refusal = isCurve
        ? await this.#refusal({ publicKey: encodeZ85(key), domain: String(domain), address: String(address) })
        : 'not CURVE'
      const status = refusal === undefined ? ['200', 'OK'] : ['400', refusal]
      await this.#socket.send([peer!, empty!, version!, id!, ...status, '', ''])
    }
  }
}
