// The way into the table: a data collection rule with an endpoint of its own (kind Direct), or behind a separate
// endpoint where a cloud lacks that kind or traffic has to take a private link.

@description('Name of the rule. One of kind Direct becomes part of a host name and may have no more than 30 characters.')
@minLength(3)
@maxLength(30)
param name string

@description('Region of the workspace: the rule has to be in the same.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the workspace.')
param workspaceId string

@description('Name of the table that rows go to.')
param tableName string

@description('Whether to make a data collection endpoint instead of a rule of kind Direct.')
param separateEndpoint bool

@description('Name of that endpoint.')
@minLength(3)
@maxLength(44)
param endpointName string

@description('Whether public networks reach that endpoint.')
param endpointPublic bool

@description('Object id of the app\'s identity.')
param principalId string

var findings = loadJsonContent('../../shared/findings/columns.json')
var roles = loadJsonContent('../role-ids.json')
var destination = 'workspace'

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2023-03-11' = if (separateEndpoint) {
  name: endpointName
  location: location
  tags: tags
  properties: {
    networkAcls: {
      publicNetworkAccess: endpointPublic ? 'Enabled' : 'Disabled'
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: name
  location: location
  tags: tags
  kind: separateEndpoint ? null : 'Direct'
  properties: {
    description: 'Findings of the ACR Transfer Monitor.'
    dataCollectionEndpointId: separateEndpoint ? endpoint.id : null
    streamDeclarations: {
      '${findings.stream}': {
        // No loop: a copy below a property whose name is an expression is more than Bicep and ARM promise.
        columns: map(findings.columns, column => {
          name: column.name
          type: column.type
        })
      }
    }
    destinations: {
      logAnalytics: [
        {
          name: destination
          workspaceResourceId: workspaceId
        }
      ]
    }
    dataFlows: [
      {
        streams: [findings.stream]
        destinations: [destination]
        transformKql: 'source'
        outputStream: 'Custom-${tableName}'
      }
    ]
  }
}

resource publish 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: rule
  name: guid(rule.id, principalId, roles.monitoringMetricsPublisher.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher.id)
    description: 'The app sends its findings through this rule.'
  }
}

// What the rule could not store shows in DCRLogErrors; an alert rule watches it.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: rule
  name: 'errors-to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'LogErrors'
        enabled: true
      }
    ]
  }
}

@description('Resource id of the rule.')
output id string = rule.id

@description('The rule\'s immutable id.')
output immutableId string = rule.properties.immutableId

// The compiler can't see that the separate endpoint is only read where it is deployed.
#disable-next-line BCP318
var endpointUrl = separateEndpoint ? endpoint.properties.logsIngestion.endpoint : rule.properties.endpoints.logsIngestion

@description('The endpoint that rows are sent to.')
output ingestionEndpoint string = endpointUrl

@description('The stream that rows are sent as.')
output streamName string = findings.stream
