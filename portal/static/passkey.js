// The dialogue of a passkey: the page's options go to the browser, its answer goes into the form, and the form is sent.
"use strict";

const form = document.getElementById("passkey");
const options = JSON.parse(form.dataset.options);
const decoded = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
const encoded = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const listed = (some) => (some || []).map((one) => ({ ...one, id: decoded(one.id) }));

function asked() {
  const publicKey = { ...options, challenge: decoded(options.challenge) };
  if (options.user) {
    publicKey.user = { ...options.user, id: decoded(options.user.id) };
    publicKey.excludeCredentials = listed(options.excludeCredentials);
    return navigator.credentials.create({ publicKey });
  }
  publicKey.allowCredentials = listed(options.allowCredentials);
  return navigator.credentials.get({ publicKey });
}

function answered(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = encoded(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: encoded(credential.rawId), type: credential.type, response });
}

async function begin() {
  document.getElementById("failed").hidden = true;
  try {
    form.elements.answer.value = answered(await asked());
  } catch {
    document.getElementById("failed").hidden = false;
    document.getElementById("start").hidden = false;
    return;
  }
  form.submit();
}

document.getElementById("start").addEventListener("click", begin);
begin();
