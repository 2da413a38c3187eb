module wattledger/compose_check

go 1.21

require github.com/compose-spec/compose-go/v2 v2.4.7
