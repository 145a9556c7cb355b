// Stands in for https://api.bitrix24.com/api/v1/: speaks to the portal around the page, as it does.
(function () {
  "use strict";
  var query = new URLSearchParams(location.search);
  var portal = (query.get("PROTOCOL") === "1" ? "https://" : "http://") + query.get("DOMAIN");
  var waiting = [];
  var isReady = false;

  function send(command) {
    top.postMessage(command + "::" + query.get("APP_SID"), portal);
  }

  window.addEventListener("message", function (event) {
    if (event.origin === portal && event.data === "getInitData") {
      isReady = true;
      waiting.splice(0).forEach(function (callback) { callback(); });
    }
  });
  window.addEventListener("load", function () { send("getInitData"); });
  window.BX24 = {
    init: function (callback) {
      if (isReady) callback();
      else waiting.push(callback);
    },
    installFinish: function () { send("setInstallFinish"); },
  };
})();
