"""Bytes of strangers to texts: pages, PDFs, wikitext, records of files; the hard parts in a process apart."""
