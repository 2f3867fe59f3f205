// The queries as functions of the workspace: AcrTransferOpenFindings, AcrTransferRuns(lookback=1d), ...
targetScope = 'resourceGroup'

@description('Name of the workspace, in the resource group that this module is deployed into.')
param workspaceName string

// The files run as they are; as functions they take what they declare as parameters.
var functions = [
  {
    name: 'blobs-waiting'
    title: 'Blobs waiting for import'
    alias: 'AcrTransferBlobsWaiting'
    parameters: 'lookback:timespan = 30d'
    declarations: ['let lookback = 30d;']
    query: loadTextContent('../queries/blobs-waiting.kql')
  }
  {
    name: 'expiring-credentials'
    title: 'Expiring credentials'
    alias: 'AcrTransferExpiringCredentials'
    parameters: 'lookback:timespan = 90d'
    declarations: ['let lookback = 90d;']
    query: loadTextContent('../queries/expiring-credentials.kql')
  }
  {
    name: 'failed-runs-by-cause'
    title: 'Failed runs by cause'
    alias: 'AcrTransferFailedRunsByCause'
    parameters: 'lookback:timespan = 30d'
    declarations: ['let lookback = 30d;']
    query: loadTextContent('../queries/failed-runs-by-cause.kql')
  }
  {
    name: 'latest-state'
    title: 'Latest state of every condition'
    alias: 'AcrTransferLatestState'
    parameters: 'lookback:timespan = 90d'
    declarations: ['let lookback = 90d;']
    query: loadTextContent('../queries/latest-state.kql')
  }
  {
    name: 'monitor-health'
    title: 'Monitor health'
    alias: 'AcrTransferMonitorHealth'
    parameters: 'lookback:timespan = 1d'
    declarations: ['let lookback = 1d;']
    query: loadTextContent('../queries/monitor-health.kql')
  }
  {
    name: 'mute-list'
    title: 'Mute list'
    alias: 'AcrTransferMuteList'
    parameters: 'lookback:timespan = 90d'
    declarations: ['let lookback = 90d;']
    query: loadTextContent('../queries/mute-list.kql')
  }
  {
    name: 'open-findings'
    title: 'Open findings and how to fix them'
    alias: 'AcrTransferOpenFindings'
    parameters: 'lookback:timespan = 90d'
    declarations: ['let lookback = 90d;']
    query: loadTextContent('../queries/open-findings.kql')
  }
  {
    name: 'runs'
    title: 'Runs with cause and fix'
    alias: 'AcrTransferRuns'
    parameters: 'lookback:timespan = 7d'
    declarations: ['let lookback = 7d;']
    query: loadTextContent('../queries/runs.kql')
  }
  {
    name: 'runs-by-hour'
    title: 'Runs by hour'
    alias: 'AcrTransferRunsByHour'
    parameters: 'lookback:timespan = 7d'
    declarations: ['let lookback = 7d;']
    query: loadTextContent('../queries/runs-by-hour.kql')
  }
  {
    name: 'success-rate'
    title: 'Success rate and duration by pipeline'
    alias: 'AcrTransferSuccessRate'
    parameters: 'lookback:timespan = 30d'
    declarations: ['let lookback = 30d;']
    query: loadTextContent('../queries/success-rate.kql')
  }
  {
    name: 'time-to-finding'
    title: 'Time from failure to finding'
    alias: 'AcrTransferTimeToFinding'
    parameters: 'lookback:timespan = 30d'
    declarations: ['let lookback = 30d;']
    query: loadTextContent('../queries/time-to-finding.kql')
  }
  {
    name: 'transfer-timeline'
    title: 'Time line of one blob'
    alias: 'AcrTransferTimeline'
    parameters: 'lookback:timespan = 30d, blob:string = ""'
    declarations: ['let lookback = 30d;', 'let blob = "";']
    query: loadTextContent('../queries/transfer-timeline.kql')
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource savedSearches 'Microsoft.OperationalInsights/workspaces/savedSearches@2023-09-01' = [for item in functions: {
  parent: workspace
  name: 'acr-transfer-${item.name}'
  // Without the etag a second deployment is refused, as the search exists. The service reads it here. The published types
  // have it outside the properties, where Azure Resource Manager refuses the whole template for it.
  properties: union(any({ etag: '*' }), {
    category: 'ACR Transfer'
    displayName: item.title
    functionAlias: item.alias
    functionParameters: item.parameters
    query: reduce(item.declarations, item.query, (text, declaration) => replace(text, declaration, ''))
    version: 2
  })
}]
