throw new RangeError("thrown at import")
