module wattledger/promtool

go 1.24

require github.com/prometheus/prometheus v0.305.0

tool github.com/prometheus/prometheus/cmd/promtool
