"""`selfstudy unlearn`: what rests on a source is found, adapters dropped, records cleaned, all checked."""
