(function () {
  "use strict";
  var root = document.documentElement;
  if (!window.BX24) {
    root.dataset.finish = "failed";
    return;
  }
  BX24.init(function () {
    BX24.installFinish();
    root.dataset.finish = "finished";
  });
})();
