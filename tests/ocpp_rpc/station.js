// A station by ocpp-rpc in strict mode: node station.js ADDRESS IDENTITY PASSWORD PROTOCOL
//
// It reads lines of JSON and writes lines of JSON:
//   {"call": ACTION, "payload": {...}, "id": N}    it calls, and writes {"id": N, "result"|"error"}
//   {"answers": {ACTION: {...}}}                   what it answers from then on
// It writes {"asked": ACTION, "payload": {...}} for what it is asked, and {"refused": ...} for each
// message that breaks a schema. It ends with its input.
'use strict';

const readline = require('node:readline');
const { createRPCError, RPCClient } = require('ocpp-rpc');

const [endpoint, identity, password, protocol] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const station = new RPCClient({
  endpoint, identity, password, protocols: [protocol], strictMode: true, reconnect: false,
});
let answers = {};

station.handle(({ method, params }) => {
  say({ asked: method, payload: params });
  if (!(method in answers)) throw createRPCError('NotImplemented');
  return answers[method];
});
station.on('strictValidationFailure', ({ method, params, result, outbound, error }) => {
  say({ refused: method, by_us: outbound, params, result, why: error.message });
});

function take(line) {
  if (line.answers) answers = line.answers;
  if (!line.call) return;
  station.call(line.call, line.payload).then(
    (result) => say({ id: line.id, result }),
    (error) => say({ id: line.id, error: `${error.rpcErrorCode || error.name}: ${error.message}` }),
  );
}

station.connect().then(() => {
  say({ connected: station.protocol });
  readline.createInterface({ input: process.stdin })
    .on('line', (text) => take(JSON.parse(text)))
    .on('close', () => station.close());
}, (error) => { say({ failed: error.message }); process.exitCode = 1; });
