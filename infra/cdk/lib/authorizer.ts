// The construct that one attaches to an API of one's own.
import type { Construct } from 'constructs';

import {
  LatchkeyHttpAuthorizer,
  LatchkeyRestAuthorizer,
  LatchkeyWebSocketAuthorizer,
} from './attachments';
import type { HttpProps, RestProps, WebSocketProps } from './authorizer-function';

/**
 * Guards an API of one's own: one kind of credential, a map of route to scopes in which nothing is
 * open that does not stand there, no cache, and no trust in what callers write into headers.
 */
export abstract class LatchkeyAuthorizer {
  /** Guards a REST API, and has it answer refusals as the platform does. */
  static forRest(scope: Construct, id: string, props: RestProps): LatchkeyRestAuthorizer {
    return new LatchkeyRestAuthorizer(scope, id, props);
  }

  /** Guards an HTTP API. */
  static forHttp(scope: Construct, id: string, props: HttpProps): LatchkeyHttpAuthorizer {
    return new LatchkeyHttpAuthorizer(scope, id, props);
  }

  /** Guards a WebSocket API, at `$connect`. */
  static forWebSocket(
    scope: Construct,
    id: string,
    props: WebSocketProps,
  ): LatchkeyWebSocketAuthorizer {
    return new LatchkeyWebSocketAuthorizer(scope, id, props);
  }
}
