// The page begins.
readColours();
startMap();
startTable();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); redrawMap(); if ($("table")) render(); });
