module chainwright.dev/stack/syft

go 1.27

require github.com/anchore/syft v1.57.0

// Upstream's own pins of these two are not served by every Go proxy.
replace (
	github.com/docker/cli => github.com/docker/cli v29.7.2+incompatible
	github.com/github/go-spdx/v2 => github.com/github/go-spdx/v2 v2.7.0
)
