// What a CDK app imports.
export {
  LatchkeyHttpAuthorizer,
  LatchkeyRestAuthorizer,
  LatchkeyWebSocketAuthorizer,
} from './attachments';
export { LatchkeyAuthorizer } from './authorizer';
export {
  AuthorizerFunction,
  type AuthorizerVpc,
  type HttpProps,
  type LatchkeyAuthorizerProps,
  type RestProps,
  type TrustedProxy,
  type WebSocketProps,
} from './authorizer-function';
export { LatchkeyCode } from './code';
export { type ILatchkey, Latchkey, type LatchkeyNames, type LatchkeyProps } from './latchkey';
export type { LatchkeyParameters } from './parameters';
export type { Routes } from './routes';
