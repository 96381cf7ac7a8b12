module chainwright.dev/stack/syft

go 1.27

require github.com/anchore/syft v1.57.0

// Upstream's own pins of these are not served by every Go proxy.
replace (
	github.com/docker/cli => github.com/docker/cli v29.7.2+incompatible
	github.com/github/go-spdx/v2 => github.com/github/go-spdx/v2 v2.7.0
	github.com/spdx/tools-golang => github.com/spdx/tools-golang v0.6.0-rc4
)
