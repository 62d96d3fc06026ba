import "no-such-package"
