import assert from "node:assert/strict";
import { test } from "node:test";
import { mac } from "../../test/topology.ts";
import { formatIp } from "../wire/address.ts";
import { linkLocal, sharedLinkLocal } from "./link-local.ts";

test("the device id stands where ff:fe would, and the U/L bit is kept", () => {
  assert.equal(formatIp(linkLocal(mac("02:00:00:00:00:02"), 1)), "fe80::200:0:100:2");
  assert.equal(formatIp(linkLocal(mac("00:11:22:33:44:55"), 0xfffd)), "fe80::11:22ff:fd33:4455");
});

test("the address all slaves would form has ff:fe, and the U/L bit turned", () => {
  assert.equal(formatIp(sharedLinkLocal(mac("02:00:00:00:00:02"))), "fe80::ff:fe00:2");
  assert.equal(formatIp(sharedLinkLocal(mac("00:11:22:33:44:55"))), "fe80::211:22ff:fe33:4455");
});
