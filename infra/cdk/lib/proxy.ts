// The variables that make an authorizer believe a proxy: shared/web/src/proxy reads them, and
// refuses the same at its start.
import { isEmpty } from './inspection';

/** The variables: all of them are set, or none is. */
export const PROXY_VARIABLES = {
  addressHeader: 'LATCHKEY_TRUSTED_PROXY_ADDRESS_HEADER',
  proofHeader: 'LATCHKEY_TRUSTED_PROXY_PROOF_HEADER',
  secret: 'LATCHKEY_TRUSTED_PROXY_SECRET',
} as const;

/**
 * Headers that others write too, or that mean something else: neither an address nor a proof may
 * stand in them.
 */
export const RESERVED_HEADERS: readonly string[] = [
  'authorization',
  'content-type',
  'cookie',
  'forwarded',
  'host',
  'user-agent',
  'via',
  'x-amzn-trace-id',
  'x-forwarded-for',
  'x-forwarded-proto',
];

/** What is wrong with them, one sentence each. */
export function proxyFaults(variables: Readonly<Record<string, unknown>>): string[] {
  const values = Object.values(PROXY_VARIABLES).map((name) => [name, variables[name]] as const);
  const missing = values.filter(([, value]) => isEmpty(value)).map(([name]) => name);
  if (missing.length === values.length) {
    return [];
  }
  if (missing.length > 0) {
    return [
      `a forwarded address is trusted without ${missing.join(' and ')}: a header that anybody ` +
        'can send proves nothing by itself.',
    ];
  }
  const headers = [PROXY_VARIABLES.addressHeader, PROXY_VARIABLES.proofHeader].map((name) =>
    String(variables[name]).toLowerCase(),
  );
  const reserved = headers.filter((header) => RESERVED_HEADERS.includes(header));
  return [
    ...reserved.map(
      (header) => `${header} is trusted as the header of a proxy, and callers write it too.`,
    ),
    ...(headers[0] === headers[1]
      ? [`${headers[0]} is to carry both the address and the proof.`]
      : []),
  ];
}
